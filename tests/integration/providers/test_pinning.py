"""TLS through the guard: connected by address, verified by name."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.model.http import JsonHandler, JsonServer
from shared.errors import Rejected
from shared.providers.network.outbound import Outbound
from tests.fakes.openai_server import serving

pytestmark = pytest.mark.capability("C18")
NAME = "models.example"


class Hello(JsonHandler):
    """Says hello."""

    def routes(self) -> dict[str, Callable[[], None]]:
        return {"GET /": lambda: self.send_json(200, "hello")}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for NAME with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path / "certificate.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def asked_names() -> list[str]:
    return []


@pytest.fixture
def port(certificate: Path, asked_names: list[str]) -> Iterator[int]:
    server = JsonServer(("127.0.0.1", 0), Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: asked_names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server.server_address[1]


def guarded(certificate: Path, place: str) -> Outbound:
    trusting = ssl.create_default_context(cafile=certificate)
    return Outbound(
        place, resolve=lambda host, port: ["127.0.0.1"], transport=lambda: httpx.HTTPTransport(verify=trusting)
    )


def test_a_checked_address_is_asked_for_the_urls_name(certificate: Path, port: int, asked_names: list[str]) -> None:
    fetched = guarded(certificate, f"{NAME}:{port}").fetch(f"https://{NAME}:{port}/", max_bytes=99)
    assert fetched.body == b'"hello"'
    assert asked_names == [NAME]


def test_a_certificate_for_another_name_is_rejected(certificate: Path, port: int) -> None:
    with pytest.raises(Rejected, match="certificate"):
        guarded(certificate, f"other.example:{port}").fetch(f"https://other.example:{port}/", max_bytes=99)
