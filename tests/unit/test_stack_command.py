"""What `personae up` and `down` tell and reckon, without a stack."""

import socket

from deploy.cli.stack import about_ports
from deploy.local import control
from deploy.local.data import ports
from shared.settings import Settings


def status(gateway: int, flower: int) -> dict[str, dict[str, str]]:
    return {"gateway": {"url": f"http://127.0.0.1:{gateway}"}, "flower": {"url": f"http://127.0.0.1:{flower}"}}


def test_nothing_is_said_of_the_ports_that_were_asked_for() -> None:
    settings = Settings(_env_file=None, gateway_port=8000, flower_port=5555)
    assert about_ports(settings, status(8000, 5555)) == []


def test_another_port_is_told_with_its_reason_and_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], ports.free_port()
        settings = Settings(_env_file=None, gateway_port=taken, flower_port=free)
        gateway, flower = about_ports(settings, status(16449, 21424))
    assert f"gateway is on 16449 and not on {taken}, which others use: PERSONAE_GATEWAY_PORT" in gateway
    assert "used when this folder's stack first started: PERSONAE_FLOWER_PORT" in flower


def test_what_starting_took_is_taken_from_the_ten_seconds_of_a_stop() -> None:
    assert control.SHORTEST <= control.patience_left() < control.PATIENCE
