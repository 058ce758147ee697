"""A question to a persona that has read: an answer with its sources, or at least what they say."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import SHORT
from tests.system import library
from tests.system.client import Client
from tests.system.conftest import CHAT_MODEL, SMALL, RunningStack
from tests.system.stacks import Stack

QUESTION = {"query": "What hummed in the workshop?"}
READ = {  # by collection, in the order in which a prompt tells them
    "profile": ("who.md", b"Nikola kept a workshop where the coil hummed."),
    "quotes": ("said.jsonl", json.dumps({"text": "In my workshop the coil hummed like a choir."}).encode()),
    "works": ("book.txt", b"The coil of the workshop hummed until the fire."),
}


def told(model: FakeOpenAI) -> list[dict[str, Any]]:
    """Return the requests that hold the question: the first after a start may be a trial of the key and the model."""
    return [request["body"] for request in model.requests if QUESTION["query"] in str(request["body"].get("messages"))]


@pytest.fixture(scope="module")
def reader(client: Client) -> str:
    """The path of a persona that has read one text of each collection."""
    persona = library.add_persona(client)
    for collection, (name, content) in READ.items():
        library.upload(client, persona, {name: content}, collection)
    assert library.ingest(client, persona)["all_completed"]
    return persona


@pytest.mark.capability("C99")
def test_an_answer_names_its_sources_in_the_order_profile_quotes_works(
    client: Client, reader: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="hummed", text="The coil did [2]."))
    answer = client.post(f"{reader}/ask", QUESTION, 200)
    assert (answer["answer"], answer["degraded"], answer["reason"]) == ("The coil did [2].", False, None)
    assert [source["collection"] for source in answer["sources"]] == list(READ)
    assert [source["number"] for source in answer["sources"] if source["cited"]] == [2]
    (request,) = told(model)
    prompt = request["messages"][0]["content"]
    assert all(
        f"[{source['number']}] ({source['label']}) {source['content']}" in prompt for source in answer["sources"]
    )
    assert client.get(f"conversations/{answer['conversation_id']}/messages")["items"][-1]["content"] == answer["answer"]


@pytest.mark.capability("C99")
def test_without_the_model_the_answer_is_what_was_read_and_says_so(
    client: Client, reader: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="hummed", status=402, error="no credit"))
    answer = client.post(f"{reader}/ask", QUESTION, 200)
    assert answer["degraded"] is True
    assert "no credit" in answer["reason"]
    told = [
        source["content"]
        for source in answer["sources"]
        if f"{source['content']} [{source['number']}]" in answer["answer"]
    ]
    assert told == [source["content"] for source in answer["sources"] if source["cited"]] != []
    assert client.get(f"turns/{answer['turn_id']}")["status"] == "FAILED"


@pytest.mark.capability("C99")
def test_a_mark_that_cites_nothing_is_not_saved(client: Client, conversation: str, model: FakeOpenAI) -> None:
    model.script(Rule(match="hummed", text="The coil did [1]."))
    reply = client.post(f"{conversation}?wait=true", {"content": QUESTION["query"]}, 200)
    assert (reply["content"], reply["extra_data"]["citations"]) == ("The coil did.", [])


def test_passages_that_do_not_fit_beside_a_long_template_are_told(client: Client, model: FakeOpenAI) -> None:
    persona = library.add_persona(client, "You have read a lot, and you speak about all of it. " * 100)
    library.upload(client, persona, {"book.txt": READ["works"][1]})
    assert library.ingest(client, persona)["all_completed"]
    answer = client.post(f"{persona}/ask", QUESTION, 200)
    assert (answer["degraded"], answer["sources"]) == (True, [])
    assert answer["reason"] == "the passages that were found (1) do not fit into PERSONAE_CHAT_CONTEXT_TOKENS"
    assert answer["answer"].startswith("I found something about this")


@pytest.fixture
def roomy(new_stack: Callable[..., Stack], model: FakeOpenAI) -> Iterator[Client]:
    """The administrator of a stack whose model reads 32,000 tokens, and which finds nothing by its meaning."""
    room = {"PERSONAE_MODEL_URL": model.url, "PERSONAE_CHAT_MODEL": CHAT_MODEL, "PERSONAE_CHAT_CONTEXT_TOKENS": "32000"}
    room |= {"PERSONAE_MIN_SIMILARITY": "0.999"}
    commands = new_stack(environment=SHORT | SMALL | room, program="deploy.cli.main")
    with RunningStack(commands, commands.start()).client() as client:
        yield client


def test_where_nothing_was_found_the_answer_says_so_and_no_model_is_asked(roomy: Client, model: FakeOpenAI) -> None:
    persona = library.add_persona(roomy)
    library.upload(roomy, persona, {"birds.txt": b"Pigeons roost."})
    assert library.ingest(roomy, persona)["all_completed"]
    answer = roomy.post(f"{persona}/ask", QUESTION, 200)
    assert (answer["answer"], answer["sources"]) == ("I found nothing about this in what I have read.", [])
    assert (answer["degraded"], answer["reason"]) == (False, None)
    assert roomy.get(f"conversations/{answer['conversation_id']}/messages")["items"][-1]["content"] == answer["answer"]
    assert told(model) == []


@pytest.mark.capability("C100")
def test_where_there_is_room_a_prompt_holds_whole_passages(roomy: Client, model: FakeOpenAI) -> None:
    book = "\n\n".join(
        f"In year {year} the coil of the workshop hummed for a day and a night. " * 20 for year in range(12)
    )
    persona = library.add_persona(roomy)
    library.upload(roomy, persona, {"book.txt": book.encode()})
    assert library.ingest(roomy, persona)["all_completed"]
    sources = roomy.post(f"{persona}/ask", QUESTION, 200)["sources"]
    (request,) = told(model)
    prompt = request["messages"][0]["content"]
    assert len(sources) == 8
    assert min(len(source["content"]) for source in sources) > 600
    assert all(f"[{source['number']}] ({source['label']}) {source['content']}" in prompt for source in sources)
