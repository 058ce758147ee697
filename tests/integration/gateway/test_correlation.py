"""A request's name, from the caller to the log line of the worker."""

import logging

import pytest
from structlog.contextvars import clear_contextvars, get_contextvars

from shared.logs import bound_to, correlation
from shared.models import Webhook, WebhookDelivery


@pytest.mark.capability("C12")
def test_a_given_id_is_given_back(nobody):
    assert nobody.get("/health", headers={"X-Correlation-ID": "abc-1"}).headers["X-Correlation-ID"] == "abc-1"


@pytest.mark.capability("C12")
@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "é"])
def test_a_missing_or_unfit_id_is_replaced(nobody, given):
    answered = nobody.get("/health", headers={"X-Correlation-ID": given}).headers["X-Correlation-ID"]
    assert answered != given
    assert len(answered) == 32


@pytest.mark.capability("C12")
def test_an_error_names_its_request(nobody):
    response = nobody.get("/nowhere", headers={"X-Correlation-ID": "abc-2"})
    assert response.json["correlation_id"] == response.headers["X-Correlation-ID"] == "abc-2"


@pytest.mark.capability("C12")
def test_each_request_leaves_one_line(nobody, caplog):
    with caplog.at_level(logging.INFO, logger="gateway"):
        nobody.get("/health?key=secret")
    [line] = [record for record in caplog.records if record.msg == "request"]
    assert (line.path, line.status) == ("/health", 200)


@pytest.mark.capability("C12")
def test_work_keeps_the_id_and_gives_it_to_its_worker(app, session):
    with app.test_request_context(headers={"X-Correlation-ID": "abc-3"}):
        app.preprocess_request()
        webhook = Webhook(url="https://example.org", events=["x"], secret_encrypted=b"")
        session.add(webhook)
        session.flush()
        work = WebhookDelivery(webhook_id=webhook.id, event="x", payload={}, queue="upkeep")
        session.add(work)
        session.flush()
    clear_contextvars()
    with bound_to(work.status_meta, row=work.id):
        assert get_contextvars() == {"correlation_id": "abc-3", "row": work.id}
    assert correlation() == {}
