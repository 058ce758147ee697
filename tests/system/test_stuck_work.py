"""Work that does not come back is given up, and so is the slot that it holds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db import get_session
from shared.queries.work import workers
from tests.processes import allowed, until
from tests.system.site import Site, ground, standing_on


@pytest.fixture
def site(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose probes may work for a second."""
    monkeypatch.setenv("PROBE_MAX_RUNTIME", "1")
    with ground(tmp_path, database_url) as own, standing_on(own, tmp_path, monkeypatch) as made:
        yield made


@pytest.mark.parametrize("act", ["deaf 600", "hang 600"], ids=["while others run", "with all else held still"])
def test_a_process_of_a_pool_whose_work_does_not_come_back_is_replaced(site: Site, act: str) -> None:
    site.workers.start_upkeep()
    site.workers.start("one", "ingestion", pool="prefork", concurrency=1)
    (stuck,) = site.add(queue="ingestion", act=act)
    first = site.until_running(stuck).worker_id
    others = site.add(3, queue="ingestion")
    site.until_ended(others, allowed(120))
    assert site.done_once(others)
    row = site.until(stuck, lambda row: row.crashes > 0)
    assert row.worker_id != first
    assert "in work" in site.workers.log("one"), "the stack of what did not come back is in the log"


def test_a_worker_of_threads_tells_how_many_of_its_slots_are_stuck(site: Site) -> None:
    site.workers.start("one", "dialogue", concurrency=2)
    ids = site.add(1, act="sleep 600", retries=1)  # it listens, and its slot is free again

    def is_half_stuck() -> bool:
        with get_session() as session:
            return workers.is_half_stuck(session, "one@")

    site.until_ended(ids)
    assert not is_half_stuck()
    site.add(act="deaf 600")
    until(is_half_stuck)
