"""A worker's part, played by the statements that workers use."""

from services import leases
from services.ingestion import fetching
from services.modules import tasks as jobs
from shared.db import Session
from shared.domain.lifecycle import RunStatus
from shared.errors import PersonaeError
from shared.models import Fetch, MemoryWindow, ModuleExecution, RunStep, Turn, Work
from shared.queries.dialogue import memory, turns
from shared.queries.work import endings, engine
from shared.queries.workflows import advance

NAME = "w:1:"


def take(session: Session, model: type[Work], queue: str) -> engine.Claim | None:
    """Claim the best row of the queue, and begin its step."""
    claims = engine.claim(session, [model], queue, worker=NAME, lease=20, limit=1, suspects=True)
    if claims and model is RunStep:
        advance.context(session, session.get_one(RunStep, claims[0].id))
        session.flush()  # a worker loads in a transaction of its own
    return claims[0] if claims else None


def settle(session: Session, claim: engine.Claim, status: RunStatus = RunStatus.COMPLETED, message: str | None = None):
    """Write how a claimed row ended."""
    session.expire_all()  # a worker's session is a new one
    rows = engine.settle(session, claim.model, [(claim.id, claim.fence)], status, message=message)
    assert rows, "the claim was lost"
    endings.follow(session, rows)


def run_steps(session: Session, count: int) -> int:
    """Complete up to `count` ready steps, on either queue; return how many."""
    for done in range(count):
        claim = take(session, RunStep, "ingestion") or take(session, RunStep, "embedding")
        if claim is None:
            return done
        settle(session, claim)
    return count


def reply(session: Session, claim: engine.Claim, text: str) -> dict:
    """Save a turn's reply and settle it; return the message as listeners get it."""
    turn = session.get_one(Turn, claim.id)
    message = turns.Message(conversation_id=turn.conversation_id, role="assistant", content=text)
    turns.save_reply(session, turn, message, {"seconds": {}})
    settle(session, claim)
    return turns.as_event(message)


def compress_windows(session: Session, text: str) -> int:
    """Compress every window that is ready to the same text; return how many."""
    done = 0
    while claim := take(session, MemoryWindow, "memory"):
        window = session.get_one(MemoryWindow, claim.id)
        memory.save(session, window, memory.load(session, window), text, "fake-chat")
        settle(session, claim)
        done += 1
    return done


def run_modules(session: Session) -> int:
    """Run every module, script and template that is ready, as worker-modules does; return how many."""
    done = 0
    while claim := take(session, ModuleExecution, "modules"):
        leases.working_on(leases.Held(claim, "modules", max_runtime=60.0))
        value = jobs.work(jobs.load(session, session.get_one(ModuleExecution, claim.id)))
        leases.working_on(None)
        session.expire_all()
        (row,) = engine.settle(session, ModuleExecution, [(claim.id, claim.fence)], RunStatus.COMPLETED)
        jobs.save(session, row, value)
        session.flush()
        endings.follow(session, [row])
        done += 1
    return done


def run_fetch(session: Session) -> Fetch:
    """Fetch the one document that waits, as worker-modules does, and return its row."""
    claim = take(session, Fetch, "modules")
    assert claim is not None
    leases.working_on(leases.Held(claim, "modules", max_runtime=60.0))
    key = [(claim.id, claim.fence)]
    try:
        stored = fetching.work(fetching.load(session, session.get_one(Fetch, claim.id)))
        session.expire_all()
        (row,) = engine.settle(session, Fetch, key, RunStatus.COMPLETED)
        fetching.save(session, row, stored)
        session.flush()
    except PersonaeError as error:
        (row,) = engine.settle(
            session, Fetch, key, RunStatus.FAILED, message=str(error), error_type=type(error).__name__
        )
    finally:
        leases.working_on(None)
    endings.follow(session, [row])
    return row
