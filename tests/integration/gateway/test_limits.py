"""How much may be sent."""

import gc
import io
import json
import tracemalloc
import warnings

import pytest
from flask import request
from werkzeug.test import EnvironBuilder, run_wsgi_app

from gateway import create_app
from gateway.http.auth import requires
from gateway.http.limits import MULTIPART_OVERHEAD, takes_upload
from shared.domain.access import Permission
from tests.integration.gateway.conftest import client_with, settings_for_tests

UPLOAD_LIMIT = 4 << 20


@pytest.fixture
def client(issue):
    """A client of a gateway with a route that takes files."""
    app = create_app(settings_for_tests(max_body_bytes=1000, max_upload_bytes=UPLOAD_LIMIT))

    @app.post("/upload")
    @requires(Permission.WRITE)
    @takes_upload
    def take_upload():
        return {"bytes": sum(len(chunk) for chunk in iter(lambda: request.files["file"].read(1 << 16), b""))}

    return client_with(app, issue("write").key)


def send(client, path, body, kind, *, chunked=False):
    """Send bytes as a server would hand them over; chunked means without a length."""
    environ = EnvironBuilder(path, method="POST").get_environ() | client.environ_base
    environ |= {"wsgi.input": body, "CONTENT_TYPE": kind} | (
        CHUNKED if chunked else {"CONTENT_LENGTH": str(len(body.getbuffer()))}
    )
    chunks, status, _ = run_wsgi_app(client.application, environ)
    return int(status.split()[0]), json.loads(b"".join(chunks))


CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
MULTIPART = "multipart/form-data; boundary=x"


def upload(size):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    return io.BytesIO(head + b"x" * size + b"\r\n--x--\r\n")


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit_is_refused(client, chunked):
    body = io.BytesIO(b'{"name": "' + b"x" * 2000 + b'"}')
    status, answer = send(client, "/api/v1/users", body, "application/json", chunked=chunked)
    assert (status, answer["error_type"]) == (413, "TooLarge")


@pytest.mark.parametrize("chunked", [True, False])
def test_an_upload_within_the_limit_passes(client, chunked):
    answered = send(client, "/upload", upload(UPLOAD_LIMIT), MULTIPART, chunked=chunked)
    assert answered == (200, {"bytes": UPLOAD_LIMIT})


def test_an_upload_over_the_limit_is_refused_without_reading_it(client):
    body = upload(UPLOAD_LIMIT + MULTIPART_OVERHEAD)
    status, answer = send(client, "/upload", body, MULTIPART)
    assert (status, answer["error_type"], body.tell()) == (413, "TooLarge", 0)


def test_an_upload_of_unknown_length_is_refused_where_it_passes_the_limit(client):
    body = upload(3 * UPLOAD_LIMIT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the framework leaves the half-read part to the collector
        status, _ = send(client, "/upload", body, MULTIPART, chunked=True)
        gc.collect()
    assert status == 413
    assert body.tell() < 2 * UPLOAD_LIMIT


def test_an_upload_is_not_held_in_memory(client):
    body = upload(UPLOAD_LIMIT)
    tracemalloc.start()
    send(client, "/upload", body, MULTIPART)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < UPLOAD_LIMIT / 2


def test_the_key_is_asked_for_before_anything_is_read(client):
    body = upload(1000)
    status, _ = send(client.application.test_client(), "/upload", body, MULTIPART)
    assert (status, body.tell()) == (401, 0)
