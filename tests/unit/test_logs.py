"""JSON lines without secrets."""

import json
import logging
import subprocess
import sys

import pytest

from shared.logs import REDACTED, redact


@pytest.mark.capability("C17")
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param({"api_key": "x"}, {"api_key": REDACTED}, id="api_key"),
        pytest.param({"openai_apikey": "x"}, {"openai_apikey": REDACTED}, id="apikey"),
        pytest.param({"headers": {"Authorization": "x"}}, {"headers": {"Authorization": REDACTED}}, id="deep"),
        pytest.param({"list": [{"password": "x"}]}, {"list": [{"password": REDACTED}]}, id="in a list"),
        pytest.param({"access_token": "x"}, {"access_token": REDACTED}, id="token"),
        pytest.param({"input_tokens": 3, "tokens": 4}, {"input_tokens": 3, "tokens": 4}, id="token counts stay"),
        pytest.param("key psk_Ab12Cd34_xyz!", f"key {REDACTED}!", id="our key in text"),
        pytest.param("sent Bearer abc.def", f"sent Bearer {REDACTED}", id="bearer in text"),
        pytest.param("redis://:pass@host/0", f"redis://:{REDACTED}@host/0", id="password in a URL"),
        pytest.param("postgresql://me:p%40ss@host/db", f"postgresql://me:{REDACTED}@host/db", id="user and password"),
        pytest.param(7, 7, id="numbers stay"),
    ],
)
def test_secrets_are_blanked(value, kept):
    assert redact(value) == kept


SCRIPT = """
import logging, structlog
from shared.logs import configure_logging
configure_logging("INFO")
structlog.contextvars.bind_contextvars(correlation_id="abc")
try:
    raise ValueError("connecting to redis://:hunter2@host")
except ValueError:
    logging.getLogger("a.b").exception("it %s", "failed", extra={"api_key": "hunter2", "rows": 3})
"""


@pytest.mark.capability("C12")
@pytest.mark.capability("C17")
def test_a_line_is_json_with_the_correlation_id_and_no_secret():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    line = json.loads(run.stderr)
    assert line["event"] == "it failed"
    assert (line["correlation_id"], line["level"], line["logger"], line["rows"]) == ("abc", "error", "a.b", 3)
    assert "hunter2" not in run.stderr
    assert logging.getLevelName(logging.ERROR).lower() == line["level"]
