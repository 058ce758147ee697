"""Seed 000, Persona Marketplace: its examples, word for word but for the import lines."""

import json
import uuid
from datetime import datetime

import pytest

from shared.api.marketplace import DataSource, IngestionJob, Persona, get_session, init_db
from tests.conformance.inventory import example

pytestmark = [
    pytest.mark.capability("C183"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


@pytest.fixture
def tesla(session):
    persona = Persona(persona_id="tesla", display_name="Nikola Tesla", voice_prompt="You are Nikola Tesla.")
    session.add(persona)
    session.commit()
    return persona


@example("000", 1)
def test_initialize_database(empty_database_url, capsys):
    # Create all tables
    tables = init_db()
    print(f"Created tables: {tables}")

    assert {"personas", "ingestion_jobs", "data_sources"} <= set(tables)
    assert init_db() == tables


@example("000", 2)
def test_create_a_persona(session):
    with get_session() as session:
        persona = Persona(
            id=str(uuid.uuid4()),
            persona_id="tesla",
            display_name="Nikola Tesla",
            birth_year=1856,
            death_year=1943,
            description="Inventor and electrical engineer",
            speaking_style="Scientific and visionary",
            key_themes="Electricity, innovation, future technology",
            voice_prompt="You are Nikola Tesla. Speak with scientific precision.",
            representative_quotes=json.dumps([
                "The present is theirs; the future is mine.",
                "If you want to find the secrets of the universe, think in terms of energy."
            ]),
            color="#4A90E2",
            status="draft",
            created_at=datetime.utcnow().isoformat()
        )
        session.add(persona)
        session.commit()
        print(f"Created persona: {persona.persona_id}")

    session.expire_all()
    stored = session.query(Persona).filter_by(persona_id="tesla").one()
    assert stored.name == "Nikola Tesla"
    assert len(stored.get_quotes_list()) == 2
    assert stored.template.startswith("You are Nikola Tesla. Speak with scientific precision.")
    assert stored.created_at.utcoffset().total_seconds() == 0


@example("000", 3)
def test_query_personas(session, capsys):
    session.add(
        Persona(
            persona_id="eminescu",
            display_name="Eminescu",
            status="active",
            representative_quotes='["Ce te legeni?"]',
        )
    )
    session.commit()

    with get_session() as session:
        # Get all active personas
        personas = session.query(Persona).filter_by(status="active").all()
        for p in personas:
            print(f"{p.persona_id}: {p.display_name}")

        # Get specific persona
        persona = session.query(Persona).filter_by(persona_id="eminescu").first()
        if persona:
            quotes = persona.get_quotes_list()
            print(f"Found {len(quotes)} quotes")

    assert capsys.readouterr().out == "eminescu: Eminescu\nFound 1 quotes\n"


@example("000", 4)
def test_create_ingestion_jobs(tesla, capsys):
    with get_session() as session:
        persona = session.query(Persona).filter_by(persona_id="tesla").first()

        for collection_type in ["profile", "works", "quotes"]:
            job = IngestionJob(
                id=str(uuid.uuid4()),
                persona_id=persona.id,
                collection_type=collection_type,
                status="pending",
                progress=0
            )
            session.add(job)

        session.commit()
        print(f"Created ingestion jobs for {persona.persona_id}")

    assert len(tesla.ingestion_jobs) == 3


@example("000", 5)
def test_track_data_sources(tesla):
    with get_session() as session:
        persona = session.query(Persona).filter_by(persona_id="tesla").first()

        source = DataSource(
            id=str(uuid.uuid4()),
            persona_id=persona.id,
            collection_type="works",
            file_name="inventions.txt",
            file_path="/data/tesla/works/inventions.txt",
            file_size_bytes=125000,
            created_at=datetime.utcnow().isoformat()
        )
        session.add(source)
        session.commit()

    assert [source.file_name for source in tesla.data_sources] == ["inventions.txt"]


@example("000", 6)
def test_update_persona_status(session, tesla):
    with get_session() as session:
        persona = session.query(Persona).filter_by(persona_id="tesla").first()

        # Mark as ingesting
        persona.status = "ingesting"
        persona.updated_at = datetime.utcnow().isoformat()
        session.commit()

        # Later: mark as active
        persona.status = "active"
        persona.updated_at = datetime.utcnow().isoformat()
        session.commit()

    assert session.query(Persona.status).filter_by(persona_id="tesla").scalar() == "active"


@example("000", 7)
def test_query_relationships(session, tesla, capsys):
    session.add(IngestionJob(persona_id=tesla.id, collection_type="works"))
    session.add(
        DataSource(
            persona_id=tesla.id, collection_type="works", file_name="a.txt", file_path="a.txt", file_size_bytes=3
        )
    )
    session.commit()

    with get_session() as session:
        persona = session.query(Persona).filter_by(persona_id="tesla").first()

        # Access related jobs
        print(f"Ingestion jobs: {len(persona.ingestion_jobs)}")
        for job in persona.ingestion_jobs:
            print(f"  - {job.collection_type}: {job.status}")

        # Access related data sources
        print(f"Data sources: {len(persona.data_sources)}")
        for source in persona.data_sources:
            print(f"  - {source.file_name}: {source.file_size_bytes} bytes")

    assert capsys.readouterr().out == (
        "Ingestion jobs: 1\n  - works: pending\nData sources: 1\n  - a.txt: 3 bytes\n"
    )


@example("000", 8)
def test_delete_persona_cascade(session, tesla, capsys):
    session.add(IngestionJob(persona_id=tesla.id, collection_type="works"))
    session.add(DataSource(persona_id=tesla.id, collection_type="works", file_name="a.txt", file_path="a.txt"))
    session.commit()

    with get_session() as session:
        persona = session.query(Persona).filter_by(persona_id="tesla").first()

        # This will also delete all related ingestion_jobs and data_sources
        session.delete(persona)
        session.commit()
        print("Persona and all related records deleted")

    assert session.query(IngestionJob).count() == 0
    assert session.query(DataSource).count() == 0


@example("000", 9)
def test_session_management(session):
    with get_session() as session:
        # Your database operations here
        pass
