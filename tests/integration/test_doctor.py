"""What an operator is told of servers, keys and models, before the first user meets them."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from gateway.readiness import Readiness
from shared.providers.checks import CHAT, Trial
from shared.settings import Settings, get_settings
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import eventually

REFUSED = "it refuses the API key"
SECRET = "sk-quota-of-acct-17"


@pytest.fixture
def openai() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def settings(openai: FakeOpenAI) -> Settings:
    return Settings(_env_file=None, model_url=openai.url, database_url=None, redis_url=None)


@pytest.fixture
def examined(
    openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CliRunner]:
    values = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "CHAT_URL": openai.url,
        "EMBEDDING_URL": openai.url,
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"PERSONAE_{name}", value)
    get_settings.cache_clear()
    yield CliRunner()
    get_settings.cache_clear()


def test_the_doctor_tells_each_with_what_to_do(openai: FakeOpenAI, examined: CliRunner) -> None:
    openai.script(Rule(match="Say yes", status=401, error=SECRET))
    result = examined.invoke(app, ["doctor"])
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert [line[:5] for line in lines] == ["✓ dat", "✗ bro", "✗ cha", "✓ emb"]
    assert "PERSONAE_REDIS_URL" in lines[1]
    assert REFUSED in lines[2]
    assert "PERSONAE_CHAT_API_KEY" in lines[2]
    assert SECRET not in result.output


def test_the_doctor_speaks_json(openai: FakeOpenAI, examined: CliRunner) -> None:
    openai.script(Rule(match="ready", status=404))
    result = examined.invoke(app, ["doctor", "--json"])
    told = json.loads(result.stdout)
    assert (told["ok"], result.exit_code) == (False, 1)
    assert {one["name"] for one in told["checks"] if one["fault"]} == {"broker", "embedding"}


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, REFUSED), (404, "no such model"), (429, "too busy"), (502, "failed with 502"), (400, "refuses the request")],
)
def test_ready_says_what_a_turn_would_meet(openai: FakeOpenAI, settings: Settings, status: int, said: str) -> None:
    openai.script(Rule(match="Say yes", status=status, error=SECRET))
    degraded = Readiness(settings).ask().degraded
    assert said in degraded["chat"]
    assert SECRET not in degraded["chat"]
    assert "embedding" not in degraded


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        pytest.param(Rule(tokens=[]), "said nothing", id="no text"),
        pytest.param(Rule(tokens=[], reasoning="hm", finish_reason="length"), "CHAT_MAX_TOKENS", id="thoughts alone"),
        pytest.param(Rule(tokens=[], finish_reason="content_filter"), "content filter", id="a filter"),
        pytest.param(Rule(text="Yes it is", cut_after=2), "broke the connection", id="half of a reply"),
        pytest.param(Rule(body="<html>Login"), "web page", id="a login page"),
        pytest.param(Rule(body='{"detail": "loading"}'), "still loading", id="a model that is loading"),
        pytest.param(Rule(body='{"message": {"content": "Yes"}, "done": true}'), "Ollama", id="another form"),
        pytest.param(
            Rule(refuses='"max_tokens": 400', status=400, error="max_tokens > 256"), "MAX_TOKENS", id="length"
        ),
    ],
)
def test_a_server_is_not_well_when_no_turn_would_come_to_a_reply(
    openai: FakeOpenAI, settings: Settings, rule: Rule, said: str
) -> None:
    rule.match = "Say yes"
    openai.script(rule)
    assert said in Readiness(settings).ask().degraded["chat"]


def test_a_trial_sends_what_a_turn_sends(openai: FakeOpenAI, settings: Settings) -> None:
    CHAT.trial(settings, 5.0)
    asked = openai.requests[-1]["body"]
    assert [said["role"] for said in asked["messages"]] == ["system", "user"]
    assert (asked["max_tokens"], asked["stream"]) == (settings.chat_max_tokens, True)


def test_a_reply_without_end_is_enough_to_be_well(openai: FakeOpenAI, settings: Settings) -> None:
    openai.script(Rule(match="Say yes", tokens=["yes "] * 100, hang_after=90))
    CHAT.trial(settings, 5.0)


def test_a_model_that_hangs_holds_nobody_up_and_is_tried_once(openai: FakeOpenAI, settings: Settings) -> None:
    openai.script(Rule(match="Say yes", first_delay=20.0))
    readiness = Readiness(settings)
    for _ in range(2):
        assert "chat" not in readiness.ask().degraded
    assert eventually(lambda: len(tries_of(openai)), lambda count: count == 1)


def test_a_fault_that_was_told_is_repeated_without_asking_again(openai: FakeOpenAI, settings: Settings) -> None:
    openai.script(Rule(match="Say yes", status=401))
    readiness = Readiness(settings)
    told = [readiness.ask().degraded["chat"] for _ in range(3)]
    assert len(set(told)) == len(tries_of(openai)) == 1


def test_tokens_are_spent_on_a_trial_rarely(openai: FakeOpenAI, settings: Settings) -> None:
    now = [0.0]
    trial = Trial(CHAT, clock=lambda: now[0])
    for now[0] in (0.0, 10.0, 500.0, 700.0):
        trial(settings)
    assert len(tries_of(openai)) == 2


def tries_of(openai: FakeOpenAI) -> list[str]:
    return [asked["path"] for asked in openai.requests if asked["path"].endswith("completions")]
