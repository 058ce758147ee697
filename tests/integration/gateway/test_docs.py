"""The documentation, which needs no internet."""

import re

from tests.integration.gateway.contract import DOCUMENT


def test_the_page_loads_nothing_from_elsewhere(nobody):
    page = nobody.get("/docs")
    assert page.status_code == 200
    assert not re.search(r"https?://|src=", page.text)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_the_document_is_open(nobody):
    assert nobody.get("/openapi.json").json["paths"].keys() == DOCUMENT["paths"].keys()
