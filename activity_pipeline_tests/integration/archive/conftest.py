"""Days that are ready for the archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from activity_pipeline.archive import ArchivedDay, archive_days, export_days, open_duckdb, restore_days
from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.chain.index import newest_entries
from activity_pipeline.archive.chain.manifest import DayEntry, Manifest, read_manifest
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days.restore import RestoredDay
from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline.hot.days import due_days, list_days
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import line


@dataclass
class Cold:
    """A pipeline whose archive is at work.

    Attributes:
        running: The pipeline.
        sent: Events sent so far.
    """

    running: Running
    sent: int = 0

    def day(self, back: int) -> date:
        """Return the day so many days before the hot window; a negative number lies within it."""
        return hot_since(today(), self.running.settings.hot_days) - back * ONE_DAY

    def send(self, day: date, count: int = 10, **fields: Any) -> list[UUID]:
        """Send new events, from the first instant of a day to its last, and store them; return their ids.

        A field that is a function is asked for each event.
        """
        start = datetime.combine(day, datetime.min.time(), UTC)
        numbers = range(self.sent, self.sent + count)
        last = ONE_DAY - timedelta(microseconds=1)
        lines = [
            line(
                n,
                start + last * (n - self.sent) // max(count - 1, 1),
                **{name: field() if callable(field) else field for name, field in fields.items()},
            )
            for n in numbers
        ]
        self.running.send(*lines, sequence=self.sent)
        self.sent += count
        self.running.drain()
        return [UUID(int=n, version=4) for n in numbers]

    def send_hot(self, day: date, count: int = 10, **fields: Any) -> list[UUID]:
        """Send events of a day while it is within the hot window, so that they get a partition."""
        self.running.statements.execute("select activity_create_day(%s)", [day])
        return self.send(day, count, **fields)

    def due(self) -> list[date]:
        """Return the days that the archive should take."""
        return due_days(self.running.statements, hot_since=self.day(0))

    def archive(self, days: Sequence[date] | None = None) -> list[ArchivedDay]:
        """Export and retire the days, by default those that are due."""
        running = self.running
        return archive_days(
            running.statements, running.bulk, running.store, self.due() if days is None else days
        )

    def export(self) -> list[ArchivedDay]:
        """Export the days that are due, and no more."""
        running = self.running
        return list(export_days(running.statements, running.bulk, running.store, self.due()))

    def stored(self) -> Counter[UUID]:
        """Count the ids of all events, wherever they live."""
        with open_duckdb(self.running.store.url) as archive:
            cold = [row[0] for row in archive.execute("select id from activity_logs").fetchall()]
        warm = [row[0] for row in self.running.statements.execute("select id from activity_logs")]
        return Counter([*cold, *warm])

    def chain(self) -> list[Manifest]:
        """Return all manifests in order, having followed the chain from its first link to its last."""
        store = self.running.store
        read = [read_manifest(store, name) for name in store.list("manifests")]
        read.sort(key=lambda pair: pair[0].sequence)
        before = None
        for place, (manifest, sha256) in enumerate(read):
            assert manifest.sequence == place
            link = (manifest.previous.name, manifest.previous.sha256) if manifest.previous else None
            assert link == before
            before = (manifest.name, sha256)
        registered = self.running.statements.execute(
            "select sequence, name, sha256 from activity_manifests order by sequence"
        ).fetchall()
        assert registered == [(m.sequence, m.name, sha256) for m, sha256 in read]
        return [manifest for manifest, _ in read]

    def newest(self, day: date) -> DayEntry:
        """Return a day's newest entry."""
        return newest_entries(self.running.store)[day]

    def check(self, ids: Sequence[UUID]) -> None:
        """Check that exactly these events are stored, each once, and that ledger and chain are whole."""
        assert self.stored() == Counter(ids)
        assert self.running.ledger().residual == 0, self.running.ledger().differences
        self.chain()


@dataclass
class Warm(Cold):
    """A pipeline whose archive gives days back."""

    def restore(self, *days: date, ttl: timedelta = timedelta(hours=1)) -> list[RestoredDay]:
        """Restore days."""
        running = self.running
        return list(restore_days(running.statements, running.bulk, running.store, days, ttl))

    def until(self, day: date) -> datetime | None:
        """Return until when a day is restored."""
        (row,) = list_days(self.running.statements, [day])
        return row.restored_until

    def tables(self) -> list[str]:
        """Return the tables of restored days, those of half a restore included."""
        query = (
            "select relname from pg_class where relkind = 'r' and "
            "(relname ~ '^activity_logs_archive_' or relname = 'activity_logs_restoring') order by 1"
        )
        return [row[0] for row in self.running.statements.execute(query)]

    def check_restored(self, ids: Sequence[UUID]) -> None:
        """Check that Postgres shows exactly these events, each once, and that all else is whole.

        A restored day has as many rows as its archive.
        """
        running = self.running
        assert running.ids() == Counter(ids)
        restored = [day for day in list_days(running.statements) if day.restored_until]
        assert self.tables() == [f"activity_logs_archive_{day.day:%Y%m%d}" for day in restored]
        entries = newest_entries(running.store)
        for day in restored:
            files = entries[day.day].up_to(day.retired_generation)
            assert running.count(f"activity_logs_archive_{day.day:%Y%m%d}") == sum(f.row_count for f in files)
        assert running.ledger().residual == 0, running.ledger().differences
        assert disagreements(running.statements, running.store) == []
        assert verify(running.store, deep=True).faults == []


@pytest.fixture
def cold(running: Running) -> Cold:
    return Cold(running)
