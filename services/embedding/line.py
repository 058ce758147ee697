"""One line before the embedding server for all documents at hand: a request holds texts of several, none is forgotten.

Of four turns of an owner two go to the document with the fewest texts left, one to the first that came, one to the one
that was asked for longest ago, of the persona that was: a short one need not wait for long ones, no long one is left
standing, and whoever watches a persona sees it move.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter

from sqlalchemy.exc import SQLAlchemyError

from services import leases
from services.leases import Later
from shared.db import will_pass
from shared.errors import PersonaeError
from shared.queries.workflows.progress import Advance

POLL_SECONDS = 1.0
SLOW = 5.0  # seconds for a request: with no more in it, progress is seen to move
PACE = 0.001  # seconds a byte that are expected of a server not asked before: a request of few long passages
PER_TEXT = 24  # bytes that a text counts for beside its own: what the model puts around it
GROWS_AFTER = 16  # answers in time, before more is asked for at once again
TURN = 32  # requests, after which a document makes room for those that nobody has taken yet


@dataclass(eq=False)
class Entry:
    """A document in the line: by hash the texts that it still lacks, and on how many of its passages each is.

    Passages that no document brought stand in it as well; nobody is told how far they are (`is_step`). The `row_id`
    is of the one's table or the other's: it tells nothing about who came first.
    """

    row_id: int
    owner: str
    waiting: dict[str, str]
    passages: Mapping[str, int]
    fence: int = 0  # of its claim
    asked: int = 0  # texts under way
    served: int = 0  # when it was last asked for
    is_step: bool = True
    persona: str = ""  # that reads it
    alone: bool = False  # its texts, or those of others beside it, were refused: they are tried apart
    error: PersonaeError | SQLAlchemyError | None = None
    number: int = 0  # in the order in which they came
    joined: int = 0  # how many requests had been made before
    since: float = field(default_factory=time.monotonic)
    before: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        self.before = self.done = sum(self.passages.values()) - sum(self.passages[key] for key in self.waiting)

    @property
    def left(self) -> int:
        """How many texts have no vector yet."""
        return len(self.waiting) + self.asked


Order = Callable[[Entry], int]
LONGEST_AGO: Order = attrgetter("served")
FEWEST: Order = attrgetter("left")
FIRST: Order = attrgetter("number")
ORDERS = (LONGEST_AGO, FEWEST, FIRST, FEWEST)


@dataclass
class Request:
    """Texts that are asked for together, each with its hash and the document it belongs to."""

    parts: list[tuple[Entry, str, str]]
    seconds: float = 0.0  # that the server took for it

    @property
    def texts(self) -> list[str]:
        """The texts in the order in which they are asked for."""
        return [text for _, _, text in self.parts]

    @property
    def hashes(self) -> list[str]:
        """The hashes of the texts."""
        return [key for _, key, _ in self.parts]

    @property
    def weight(self) -> int:
        """What it costs, in bytes."""
        return sum(map(weight_of, self.texts))

    @property
    def entries(self) -> list[Entry]:
        """The documents that have texts in it."""
        return list(dict.fromkeys(entry for entry, _, _ in self.parts))

    def advances(self) -> list[Advance]:
        """Say how far its documents are with it."""
        gained: Counter[Entry] = Counter()
        for entry, key, _ in self.parts:
            gained[entry] += entry.passages[key]
        return [
            Advance(
                entry.row_id,
                entry.fence,
                sum(entry.passages.values()),
                entry.done + passages,
                entry.before,
                time.monotonic() - entry.since,
            )
            for entry, passages in gained.items()
            if entry.is_step
        ]


def weight_of(text: str) -> int:
    """Say what embedding a text costs, in bytes: those of an alphabet of many letters say as much as a word's."""
    return len(text.encode(errors="replace")) + PER_TEXT


Ask = Callable[[Request], bool]  # keeps the vectors; says whether all came, or the request was too much for its time


class Line:
    """The documents of one process; at most `leaders` of its threads ask at a time, each for whoever's turn it is."""

    def __init__(self, batch: int, leaders: int = 1, *, crowded: Callable[[], bool] = lambda: False) -> None:
        self._batch = self._size = batch
        self._free = leaders
        self._crowded = crowded
        self._changed = threading.Condition()
        self._entries: list[Entry] = []
        self._turns: Counter[str] = Counter()
        self._served: dict[str, int] = {}
        self._moved: dict[tuple[str, str], int] = {}  # by owner and persona
        self._clock = self._came = self._requests = self._in_time = 0
        self._pace = PACE
        self._is_crowded = False

    def serve(self, entry: Entry, ask: Ask) -> None:
        """Stay until a document has its vectors, and ask for whoever's turn it is meanwhile.

        Raises what its own texts met with; Later when it has had its turn and others wait to be taken.
        """
        with self._joined(entry):
            while request := self._next(entry):
                self._lead(request, ask)
                self._is_crowded = self._crowded()

    @contextmanager
    def _joined(self, entry: Entry) -> Iterator[None]:
        with self._changed:
            self._came += 1
            entry.number, entry.joined = self._came, self._requests
            self._entries.append(entry)
        try:
            yield
        finally:
            with self._changed:
                self._entries.remove(entry)
                self._changed.notify_all()

    def _next(self, entry: Entry) -> Request | None:
        """Wait until this thread is to ask; None when its document has all its vectors."""
        with self._changed, leases.unhurried() as check:
            while True:
                check()
                if self._is_over(entry):
                    return None
                if self._free and (request := self._take()):
                    self._free -= 1
                    return request
                self._changed.wait(POLL_SECONDS)

    def _is_over(self, entry: Entry) -> bool:
        if entry.error is not None:
            raise entry.error
        if entry.left and not entry.asked and self._is_crowded and self._had_its_turn(entry):
            raise Later
        return not entry.left

    def _had_its_turn(self, entry: Entry) -> bool:
        """Say whether a document is to make room; the first of all is not: it goes on to its end."""
        if self._requests - entry.joined < TURN:
            return False
        return entry is not self._entries[0]

    def _take(self) -> Request | None:
        parts: list[tuple[Entry, str, str]] = []
        weight = 0
        staying = [entry for entry in self._entries if not self._is_crowded or not self._had_its_turn(entry)]
        while len(parts) < self._size and weight * self._pace < SLOW and (entry := self._pick(staying, parts)):
            key = next(iter(entry.waiting))
            weight += weight_of(entry.waiting[key])
            parts.append((entry, key, entry.waiting.pop(key)))
            entry.asked += 1
            if entry.alone and not entry.waiting:
                break
        return Request(parts) if parts else None

    def _pick(self, entries: list[Entry], parts: list[tuple[Entry, str, str]]) -> Entry | None:
        """Choose whose text is the next of a request: who is to be alone at once, else owners in turn by ORDERS."""
        if parts and parts[0][0].alone:
            return parts[0][0]
        there = [entry for entry in entries if entry.waiting and not entry.error and not (entry.alone and parts)]
        if not there:
            return None
        if not parts:
            there = [entry for entry in there if entry.alone] or there
        owner = min({entry.owner for entry in there}, key=lambda name: self._served.get(name, 0))
        mine = [entry for entry in there if entry.owner == owner]
        self._clock += 1
        self._turns[owner] += 1
        order = ORDERS[self._turns[owner] % len(ORDERS)]
        chosen = min(self._of_one_persona(mine) if order is LONGEST_AGO else mine, key=order)
        self._served[owner] = self._moved[owner, chosen.persona] = chosen.served = self._clock
        return chosen

    def _of_one_persona(self, entries: list[Entry]) -> list[Entry]:
        """Keep those of the persona that was asked for longest ago."""
        longest = min(self._moved.get((entry.owner, entry.persona), 0) for entry in entries)
        return [entry for entry in entries if self._moved.get((entry.owner, entry.persona), 0) == longest]

    def _lead(self, request: Request, ask: Ask) -> None:
        answered = False
        try:
            answered = ask(request)
            if not answered:
                self._size = max(1, len(request.parts) // 2)
        except (PersonaeError, SQLAlchemyError) as error:
            if will_pass(error):
                raise
            self._blame(request, error)
        finally:
            self._close(request, answered)

    def _blame(self, request: Request, error: PersonaeError | SQLAlchemyError) -> None:
        """Let a refusal end the document it belongs to; of several, each is asked for alone to find out."""
        for entry in request.entries:
            if len(request.entries) == 1:
                entry.error = error
            entry.alone = True

    def _close(self, request: Request, answered: bool) -> None:
        with self._changed:
            self._free += 1
            self._requests += 1
            for entry, key, text in reversed(request.parts):
                entry.asked -= 1
                if answered:
                    entry.done += entry.passages[key]
                    entry.alone = False
                else:
                    entry.waiting = {key: text, **entry.waiting}
            if answered:
                self._fit(request)
            self._changed.notify_all()
        if answered and (held := leases.current()):
            held.begin()  # `max_runtime` is for work that does not move

    def _fit(self, request: Request) -> None:
        """Ask for as much at once as the last answer's pace lets come in time, and for more texts where all do."""
        self._pace = request.seconds / request.weight
        self._in_time = self._in_time + 1 if request.seconds < SLOW else 0
        if self._in_time >= GROWS_AFTER:
            self._size, self._in_time = min(self._batch, 2 * self._size), 0
