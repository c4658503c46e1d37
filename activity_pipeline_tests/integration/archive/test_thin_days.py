"""A year and more of days with next to nothing in them: few files, and late events wherever they fall."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.verify import Verification, verify
from activity_pipeline.archive.days import compact as compaction
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import line

DAYS = 400


def come(cold: Cold, days: list[date], hour: int) -> list[UUID]:
    """Send one event of each day, all in one frame, and store them."""
    numbers = range(cold.sent, cold.sent + len(days))
    midnights = (datetime.combine(day, datetime.min.time(), UTC) for day in days)
    lines = (line(n, at + timedelta(hours=hour)) for n, at in zip(numbers, midnights, strict=True))
    cold.running.send(*lines, sequence=cold.sent)
    cold.sent += len(days)
    cold.running.drain()
    return [UUID(int=n, version=4) for n in numbers]


def compacted(cold: Cold) -> int:
    return len(list(compaction.compact(cold.running.statements, cold.running.store)))


def sound(cold: Cold) -> Verification:
    assert disagreements(cold.running.statements, cold.running.store) == []
    found = verify(cold.running.store, deep=True)
    assert found.faults == []
    return found


@pytest.mark.slow
def test_four_hundred_thin_days(cold: Cold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "GRACE_S", 0.0)
    days = [cold.day(back) for back in range(DAYS, 0, -1)]
    years = len({day.year for day in days})
    ids = come(cold, days, 1) + come(cold, days, 2)
    assert len(cold.archive()) == DAYS
    assert (sound(cold).files, sound(cold).manifests) == (DAYS, DAYS)
    assert compacted(cold) == years
    found = sound(cold)
    assert (found.files, found.manifests, found.rows, found.superseded) == (
        years,
        DAYS + years,
        2 * DAYS,
        DAYS,
    )
    cold.check(ids)

    # Each third day gets an event more, and all that is known already comes again.
    ids += come(cold, days[::3], 3)
    sent, cold.sent = cold.sent, 0
    come(cold, days, 1)
    cold.sent = sent
    assert [day.added_rows for day in cold.archive()] == [1] * len(days[::3])
    assert compacted(cold) == years
    assert compacted(cold) == 0
    cold.check(ids)
    entries = newest_entries(cold.running.store)
    assert list(entries) == days
    assert len(files_of(entries.values())) == years
    assert len(cold.running.store.find("events")) == years
    assert {entry.generation for entry in entries.values()} == {3, 4}
    assert sound(cold).rows == len(ids)
