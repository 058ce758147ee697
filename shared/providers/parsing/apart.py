"""Documents are read in a process apart, which the kernel bounds: no file costs more than its own failure."""

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from shared.background import later
from shared.errors import Invalid, Transient
from shared.providers.network.interruption import OnOpen
from shared.providers.parsing import reader
from shared.providers.parsing.limits import Limits
from shared.providers.parsing.parser import CannotStart, Page, Parsed

DOCUMENTS_PER_PROCESS = 500  # what a library leaks ends with the process
INHERITED = ("PATH", "PYTHONPATH", "TMPDIR", "LANG", "LC_ALL")  # and no secret of ours


class Reader:
    """A process that reads documents, kept warm for the thread that began it."""

    def __init__(self, limits: Limits) -> None:
        self.read = 0
        self._limits = limits
        self._why: Callable[[], Exception] | None = None
        command = [sys.executable, "-m", reader.__name__, json.dumps(limits)]
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | {"MALLOC_ARENA_MAX": "2"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries warn thousands of times, in the words of the document
            env=environment,
            start_new_session=True,
        )
        self.close = weakref.finalize(self, _end_for_good, self._process)  # at the latest when the thread has ended

    def ask(self, data: bytes, mime_type: str) -> Parsed:
        """Have a document read; raises Invalid with the reason, Transient where somebody ended the process."""
        self.read += 1
        timer = later("ending a reader", self._limits.wall_seconds, lambda: self.end(self._too_slow))
        try:
            said = self._exchange(data, mime_type)
        finally:
            timer.cancel()
        if not said.endswith(b"\n"):
            raise self._failure()
        answer: dict[str, Any] = json.loads(said)
        if "invalid" in answer:
            raise Invalid(answer["invalid"])
        if "cannot_start" in answer:
            self.close()  # a library that failed to load may not try again
            raise CannotStart(answer["cannot_start"])
        text, pages, *about = answer["parsed"]
        return Parsed(text, [Page(*page) for page in pages], *about)

    def end(self, why: Callable[[], Exception] | None = None) -> None:
        """End the process and those it began, from any thread; `why` makes the error that its reader gets."""
        self._why = self._why or why
        _kill(self._process)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def _exchange(self, data: bytes, mime_type: str) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            header = json.dumps({"mime_type": mime_type, "bytes": len(data)})
            self._process.stdin.write(header.encode() + b"\n" + data)
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return b""

    def _failure(self) -> Exception:
        code = self._process.wait()
        if self._why is not None:
            return self._why()
        if code == -signal.SIGXCPU:
            return Invalid(self._limits.too_much_computing())
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            return was_ended()
        return Invalid(f"the parser broke down on it: it is damaged, or {self._limits.too_much_memory()}")

    def _too_slow(self) -> Exception:
        return Invalid(f"it took more than {self._limits.wall_seconds:g} s to read")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _end_for_good(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            assert pipe is not None
            pipe.close()
    process.wait()


def was_ended() -> Exception:
    """Make the error of a document whose reader was stopped: it may be read later."""
    return Transient("the process that read the document was ended")


class ApartParser:
    """Reads each document in a warm process of the calling thread; a process that a document ends is replaced.

    `listener` is asked by the thread that reads a document who is to hear how the process is ended.
    """

    def __init__(self, limits: Limits, listener: Callable[[], OnOpen]) -> None:
        self._limits = limits
        self._listener = listener
        self._mine = threading.local()

    def parse(self, data: bytes, mime_type: str) -> Parsed:
        """Read a document; raises Invalid with a reason for people, Transient where its process was ended."""
        warm = self._warm()
        self._listener()(lambda: warm.end(was_ended))
        return warm.ask(data, mime_type)

    def _warm(self) -> Reader:
        known: Reader | None = getattr(self._mine, str(os.getpid()), None)  # a forked process must not share one
        if known is not None and known.alive and known.read < DOCUMENTS_PER_PROCESS:
            return known
        if known is not None:
            known.close()
        made = Reader(self._limits)
        setattr(self._mine, str(os.getpid()), made)
        return made
