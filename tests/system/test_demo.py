"""What the demo leaves behind: nothing, for others may live where it is shown."""

from collections.abc import Iterator

import pytest

from deploy.demo.client import Client as DemoClient
from deploy.demo.client import DemoFailed
from deploy.demo.personas import CAST, ELENA, MATERIAL, VISITS
from deploy.demo.run import on_stage
from tests.system.client import Client
from tests.system.conftest import RunningStack


@pytest.fixture
def demo(stack: RunningStack) -> Iterator[DemoClient]:
    client = DemoClient(stack.status["gateway"]["url"], stack.status["api_key"])
    yield client
    client.close()


def left_by_the_demo(client: Client) -> list[str]:
    slugs = {cast.persona["slug"] for cast in CAST}
    personas = [item["slug"] for item in client.get("personas?limit=500")["items"] if item["slug"] in slugs]
    return personas + [item["name"] for item in client.get("modules")["items"] if item["name"] == VISITS["name"]]


def fail_halfway(client: Client, demo: DemoClient) -> None:
    with on_stage(demo) as ids:
        elena = ids[ELENA.persona["slug"]]
        demo.upload(elena, "works", MATERIAL / "gull-rock-log.pdf")
        demo.ingest(elena)
        assert len(left_by_the_demo(client)) == 3
        raise DemoFailed("on purpose")


def test_the_demo_takes_away_what_it_added_even_when_it_fails(client: Client, demo: DemoClient) -> None:
    with pytest.raises(DemoFailed, match="on purpose"):
        fail_halfway(client, demo)
    assert left_by_the_demo(client) == []


def test_the_demo_touches_no_persona_of_the_same_slug_that_is_not_its_own(client: Client, demo: DemoClient) -> None:
    mine = client.post("personas", {"name": "My Elena", "slug": ELENA.persona["slug"]})
    with pytest.raises(DemoFailed, match="elena-marsh"):
        fail_halfway(client, demo)
    assert client.get(f"personas/{mine['id']}")["name"] == "My Elena"
    assert client.ask("DELETE", f"personas/{mine['id']}").status_code == 204
    assert left_by_the_demo(client) == []
