"""A kind of work is added as ARCHITECTURE.md says, and nothing else is needed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import redis

ROOT = Path(__file__).parents[2]
ADDED = """
from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column
from services.work import answer, register_handler
from shared.db import get_engine, get_session
from shared.models import Work
from shared.queries import kinds
from shared.queries.work import why
from shared.queries.kinds import Kind, Owner
from shared.queries.scope import Scope
from shared.tasks import MODULES, celery_app

{block}

kinds.declare(GREETING)
Greeting.__table__.create(get_engine())
with get_session() as session:
    session.add(Greeting(owner_id="ada", name="Elena", ready_at=func.clock_timestamp()))
with celery_app().connection_for_read() as broker:
    print("bells:", broker.default_channel.client.llen("modules"))
answer(MODULES)
with get_session() as session:
    row = kinds.get(session, Scope("ada"), "greetings", 1)
    print(row.said, why.explain(session, row).status)
"""


def test_a_kind_is_added_by_what_the_page_says(database_url: str, redis_url: str) -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text().partition("### Add a kind of work")[2]
    block = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert block is not None
    assert len([line for line in block[1].splitlines() if line.strip()]) <= 15
    with redis.Redis.from_url(redis_url) as broker:
        broker.flushall()  # of bells that others rang
    environment = os.environ | {"PERSONAE_REDIS_URL": redis_url}
    script = ADDED.replace("{block}", block[1])
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["bells: 1", "Hello Elena! COMPLETED"]
