"""Processes by state and age: a bare pid may be a zombie's, or by now somebody else's (Linux's /proc)."""

import ctypes
import os
import signal
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
PROC = Path("/proc")
DEAD = frozenset("ZX")
_libc = ctypes.CDLL(None, use_errno=True)


class Entry(NamedTuple):
    """A line of the process table; `started` is in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    started: int


class Identity(NamedTuple):
    """One process for ever: no other has had both numbers since boot."""

    pid: int
    started: int


def dies_with_parent(signal_number: int) -> Callable[[], object]:
    """Return a function after which the kernel sends this process the signal when its parent thread ends."""
    return lambda: _libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def parse(stat: str) -> Entry:
    """Read one /proc/<pid>/stat, whose second field may itself hold spaces and brackets."""
    pid = stat.partition(" ")[0]
    fields = stat.rpartition(") ")[2].split()
    return Entry(int(pid), fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def find(pid: int) -> Entry | None:
    """Return a process that exists and is no zombie, else None."""
    with suppress(OSError):
        entry = parse((PROC / str(pid) / "stat").read_text())
        return None if entry.state in DEAD else entry
    return None


def table() -> list[Entry]:
    """Return every living process that may be seen."""
    entries = (find(int(name)) for name in os.listdir(PROC) if name.isdigit())
    return [entry for entry in entries if entry is not None]


def identify(pid: int) -> Identity | None:
    """Return what tells a living process from a later one with its pid."""
    entry = find(pid)
    return Identity(pid, entry.started) if entry else None


def is_alive(identity: Identity) -> bool:
    """Say whether this very process still runs."""
    return identify(identity.pid) == identity


def uptime(identity: Identity) -> float:
    """Return the seconds since a process started."""
    now = float((PROC / "uptime").read_text().split()[0])
    return now - identity.started / os.sysconf("SC_CLK_TCK")


def family(entries: Iterable[Entry], leaders: Collection[int], known: Collection[Identity] = ()) -> set[Identity]:
    """Return the leaders' sessions, groups and descendants, and those of `known` that are still there.

    Postgres gives each of its children a session of its own, so a group is not the whole family.
    """
    entries = list(entries)
    members = {
        entry.pid
        for entry in entries
        if entry.session in leaders or entry.group in leaders or (entry.pid, entry.started) in known
    }
    before = -1
    while len(members) > before:
        before = len(members)
        members |= {entry.pid for entry in entries if entry.parent in members}
    return {Identity(entry.pid, entry.started) for entry in entries if entry.pid in members}


def send(identities: Iterable[Identity], signal_number: signal.Signals) -> None:
    """Signal those that are still the same processes."""
    for identity in identities:
        if is_alive(identity):
            with suppress(ProcessLookupError):
                os.kill(identity.pid, signal_number)
