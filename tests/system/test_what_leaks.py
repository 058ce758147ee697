"""No secret of the stack in anything that it answered or logged, whatever the tests before did to it."""

import json

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import until
from tests.system.client import Client
from tests.system.conftest import PROVIDER_KEY, RunningStack
from tests.system.test_talking import ended

NAMES = ("postgres_password", "broker_password", "flower_password", "api_key")
HARMLESS = 12  # shorter values would be found by chance


@pytest.mark.capability("C17")
def test_no_secret_is_answered_or_logged(
    client: Client, conversation: str, model: FakeOpenAI, stack: RunningStack
) -> None:
    model.script(Rule(match="tell", status=401, error=f"Incorrect API key provided: {PROVIDER_KEY}"))
    turn = ended(client, client.post(conversation, {"content": "tell"}, 202))
    client.get(f"turns/{turn['id']}/trace", 404)
    with stack.commands.without("postgres"):
        until(lambda: client.ask("GET", "personas").status_code == 503)  # its last processes may answer for a moment
    assert turn["status"] == "FAILED"
    leaks = {name: found for name, secret in secrets(stack).items() if (found := where(stack, client, secret))}
    assert leaks == {}


def secrets(stack: RunningStack) -> dict[str, str]:
    kept = json.loads((stack.commands.folder / "secrets.json").read_text())
    return {name: kept[name] for name in NAMES} | {"provider_key": PROVIDER_KEY}


def where(stack: RunningStack, client: Client, secret: str) -> list[str]:
    """Return the log files, and the answers, that hold a secret."""
    assert len(secret) > HARMLESS
    logs = sorted(path.name for path in (stack.commands.folder / "logs").iterdir())
    logged = [name for name in logs if secret in (stack.commands.folder / "logs" / name).read_text(errors="replace")]
    return logged + [answer[:200] for answer in client.heard if secret in answer]
