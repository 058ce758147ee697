"""How long sweeps have come without a gap, whichever workers they ran in: one row, which each sweep changes."""

from sqlalchemy import text
from sqlalchemy.orm import Session

NOTE = """
    INSERT INTO sweepwatch (id, since, last) VALUES (1, clock_timestamp(), clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET last = clock_timestamp(), since = CASE
        WHEN sweepwatch.last < clock_timestamp() - make_interval(secs => :gap) THEN clock_timestamp()
        ELSE sweepwatch.since END
    RETURNING extract(epoch FROM last - since)::float"""


def note(session: Session, *, gap: float) -> float:
    """Note a sweep that begins; return for how many seconds there was no pause longer than `gap` between two."""
    return float(session.scalar(text(NOTE), {"gap": gap}) or 0)
