"""What a running stack looks like from outside: written by its supervisor, read by every other command."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from deploy.local.data import credentials
from deploy.local.data.addresses import Addresses, driverless
from deploy.local.data.credentials import FLOWER_USER, Credentials
from deploy.local.data.folder import Folder, read_json, write_json
from deploy.local.processes import Identity, is_alive


@dataclass(frozen=True)
class Status:
    """One child as it was when the state was written."""

    name: str
    identity: Identity | None
    condition: str
    restarts: int
    queues: tuple[str, ...]

    @property
    def pid(self) -> int | None:
        """The pid, while it is this child's."""
        return self.identity.pid if self.identity and is_alive(self.identity) else None


@dataclass(frozen=True)
class State:
    """One stack: its supervisor, its addresses and its children."""

    supervisor: Identity
    is_up: bool
    addresses: Mapping[str, str]
    environment: Mapping[str, str]
    children: tuple[Status, ...]

    @property
    def is_running(self) -> bool:
        """Say whether its supervisor lives; a state without one is stale."""
        return is_alive(self.supervisor)


def addresses_of(addresses: Addresses) -> dict[str, str]:
    """Return the URLs by part, in the form that other programs read."""
    return {
        "gateway": addresses.gateway,
        "postgres": driverless(addresses.postgres),
        "broker": addresses.broker,
        "flower": addresses.flower,
        "model": addresses.model,
    }


def write(folder: Folder, state: State) -> None:
    """Replace the state file."""
    write_json(folder.state, asdict(state))


def read(folder: Folder) -> State | None:
    """Return the last state written, which may be stale, or None where no stack ever ran."""
    stored = read_json(folder.state)
    if stored is None:
        return None
    children = tuple(_status(child) for child in stored.pop("children"))
    return State(**{**stored, "supervisor": Identity(*stored["supervisor"]), "children": children})


def _status(stored: dict[str, Any]) -> Status:
    identity = Identity(*stored["identity"]) if stored["identity"] else None
    return Status(**{**stored, "identity": identity, "queues": tuple(stored["queues"])})


def find_running(folder: Folder) -> State | None:
    """Return the state of the stack that runs on a data directory, else None."""
    state = read(folder)
    return state if state is not None and state.is_running else None


def document(state: State, secrets: Credentials) -> dict[str, Any]:
    """Return what `personae status --json` prints; a pid is null for a part that this stack does not run."""
    pids = {child.name: child.pid for child in state.children}
    parts = {name: {"url": url, "pid": pids.get(name)} for name, url in state.addresses.items()}
    parts["flower"] = {
        "url": state.addresses["flower"],
        "user": FLOWER_USER,
        "password": secrets.flower_password,
        "pid": pids.get("flower"),
    }
    return {
        **parts,
        "beat": {"pid": pids.get("beat")},
        "workers": list(_workers(state.children)),
        "api_key": secrets.api_key,
    }


def _workers(children: Iterable[Status]) -> Iterable[dict[str, Any]]:
    for child in children:
        if child.queues:
            yield {"name": child.name, "pid": child.pid, "queues": list(child.queues)}


def describe(folder: Folder) -> dict[str, Any] | None:
    """Return the status document of a data directory's running stack, else None."""
    state, secrets = find_running(folder), credentials.load(folder)
    return document(state, secrets) if state and secrets else None
