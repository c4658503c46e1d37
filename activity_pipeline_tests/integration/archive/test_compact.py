"""Compaction: fewer files, the same rows, proved by the chain; what is not thin or not settled stays."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.manifest import DataFile, DayEntry, describe_day
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days import compact as compaction
from activity_pipeline.archive.days.compact import CompactedFile, compact, plan
from activity_pipeline.errors import ArchiveError
from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.hot import days as hot
from activity_pipeline_tests.integration.archive.conftest import Cold


def compacted(cold: Cold, *, min_files: int = 2) -> list[CompactedFile]:
    return list(compact(cold.running.statements, cold.running.store, min_files=min_files))


def sound(cold: Cold) -> None:
    assert verify(cold.running.store, deep=True).faults == []
    assert disagreements(cold.running.statements, cold.running.store) == []


def test_thin_days_share_a_file_and_late_events_come_after(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack, a pack with a late generation on it, and the sweep of what was left."""
    days = [cold.day(back) for back in (5, 4, 3, 2)]
    assert len({day.year for day in days}) == 1
    ids = [id_ for day in days for id_ in cold.send_hot(day, 5)]
    cold.archive()
    (pack,) = compacted(cold)
    assert (pack.days, pack.files, pack.rows) == (tuple(days), 4, 20)
    cold.check(ids)
    sound(cold)
    assert verify(cold.running.store).superseded == 4
    assert {row.generation for row in hot.list_days(cold.running.statements, days)} == {2}
    # A known event and a new one of a day within the pack.
    cold.sent = 0
    cold.send(days[0], 1)
    cold.sent = 20
    ids += cold.send(days[0], 1)
    cold.archive()
    assert [file.generation for file in cold.newest(days[0]).files] == [2, 3]
    cold.check(ids)
    sound(cold)
    (again,) = compacted(cold)
    assert (again.days, again.files, again.rows) == (tuple(days), 2, 21)
    cold.check(ids)
    sound(cold)
    assert compacted(cold) == []
    monkeypatch.setattr(compaction, "GRACE_S", 0.0)
    assert compacted(cold) == []
    assert [str(path) for path in Path(cold.running.store.root).glob("events/**/*.parquet")] == [
        cold.running.store.full(again.path)
    ]
    sound(cold)


def test_days_on_their_way_wait(cold: Cold) -> None:
    first, second = cold.day(3), cold.day(2)
    ids = cold.send_hot(first, 3)
    cold.archive()
    ids += cold.send(first, 3) + cold.send_hot(second, 2)
    cold.export()
    assert compacted(cold) == []
    cold.archive()
    assert len(compacted(cold)) == 1
    cold.check(ids)
    sound(cold)


def test_a_file_that_is_not_what_its_manifest_says_is_not_compacted(cold: Cold) -> None:
    ids = cold.send_hot(cold.day(2), 3) + cold.send_hot(cold.day(1), 3)
    cold.archive()
    first, second = sorted(Path(cold.running.store.root).glob("events/*/*.parquet"))
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(ArchiveError, match="do not hold what its manifest says"):
        compacted(cold)
    first.write_bytes(held)
    assert len(compacted(cold)) == 1
    cold.check(ids)
    sound(cold)


def _entry(day: date, rows: int, paths: list[str]) -> DayEntry:
    from datetime import UTC, datetime

    start = datetime.combine(day, datetime.min.time(), UTC)
    files = [
        DataFile(
            path=path,
            generation=1,
            size_bytes=1,
            sha256="",
            row_count=rows,
            first_at=start,
            last_at=start,
            content_hash="0" * 30,
            file_rows=10**9,
        )
        for path in paths
    ]
    return describe_day(day, 1, files)


@given(
    st.lists(st.tuples(st.integers(1, 120_000), st.integers(0, 30)), max_size=60),
    st.integers(2, 10),
)
def test_the_plan(days: list[tuple[int, int]], min_files: int) -> None:
    """Whoever shares a file stays together, nobody is in two groups, and nothing is done for too little."""
    first = date(2025, 12, 1)
    entries = {
        first + ONE_DAY * place: _entry(first + ONE_DAY * place, rows, [f"{place}", f"pack-{pack}"])
        for place, (rows, pack) in enumerate(days)
    }
    groups = plan(entries, min_files=min_files)
    placed = [entry.day for group in groups for entry in group]
    assert len(placed) == len(set(placed))
    for group in groups:
        paths = set(files_of(group))
        assert [entry.day for entry in group] == sorted(entry.day for entry in group)
        assert len(paths) >= min_files
        outside = [entry for day, entry in entries.items() if day not in {e.day for e in group}]
        assert not paths & set(files_of(outside))


def test_the_newest_entries_of_some_days(cold: Cold) -> None:
    days = [cold.day(3), cold.day(2), cold.day(1)]
    for day in days:
        cold.send_hot(day, 2)
    cold.archive()
    compacted(cold)
    assert list(newest_entries(cold.running.store, [days[1]])) == [days[1]]
    assert list(newest_entries(cold.running.store)) == days
