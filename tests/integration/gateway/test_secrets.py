"""No secret comes out: not in an answer, not in a log line."""

import io
import logging

import pytest

from shared.logs import json_handler
from tests.integration.gateway.contract import OPERATIONS, Tenant

PROVIDER_SECRET = "sk-live-0123456789abcdef"


@pytest.fixture
def lines():
    """What this process logs, as it is written."""
    written = io.StringIO()
    handler = json_handler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.capability("C17")
def test_a_key_is_in_no_answer_and_in_no_log_line(app, issue, lines):
    issued = issue("admin")
    client = app.test_client()
    client.environ_base["HTTP_X_API_KEY"] = issued.key
    tenant = Tenant(client, mark="")
    tenant.make_everything()
    answers = [tenant.send(name).text for name in OPERATIONS if name != "create_key"]
    secret = issued.key.rpartition("_")[2]
    assert '"event": "request"' in lines.getvalue()
    assert secret not in lines.getvalue()
    assert issued.row.key_hash not in lines.getvalue()
    assert not [text for text in answers if secret in text or issued.row.key_hash in text]


@pytest.mark.capability("C17")
def test_a_secret_in_a_request_is_in_no_log_line(admin, lines):
    admin.post("/api/v1/users", json={"api_key": PROVIDER_SECRET})
    admin.get(f"/api/v1/users?api_key={PROVIDER_SECRET}")
    logging.getLogger("provider").warning("refused", extra={"api_key": PROVIDER_SECRET, "body": PROVIDER_SECRET})
    assert PROVIDER_SECRET not in lines.getvalue()
