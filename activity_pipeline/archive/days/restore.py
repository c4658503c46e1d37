"""Restore: archived days back in Postgres for a while, for those who query them there.

A day is restored in one transaction: its rows go into a table of their own, Postgres hashes what it
took, which must be what the manifest says, and the table becomes a partition of
`activity_logs_archive`. Only rows that have left Postgres are restored, so that no query sees one
twice; the generations that follow while a day is restored join it as they are retired.

It holds no lock on the archive: an export or a compaction goes on beside it. Where one has made the
day another meanwhile, it is loaded anew. An erasure waits for the day that is being restored, and
nothing is restored until the erasure is through: files may still hold what it takes.

crash after   what it leaves                            what the next one does
load          nothing: Postgres drops the table         loads the day
check         the same                                  the same
index         the same                                  the same
attach        the same, it has not committed            the same
commit        a restored day                            extends its time, and goes on with the others
drop          restored days whose time is over:         drops them
              a step of days is dropped whole or not
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa

from activity_pipeline.archive.chain.manifest import DataFile, DayEntry, Manifest, read_manifest
from activity_pipeline.archive.files.describe import check_bytes
from activity_pipeline.archive.files.parquet import stored_rows
from activity_pipeline.archive.files.within import within
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError, GateError, ManifestError
from activity_pipeline.events.content import EMPTY
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import days as hot
from activity_pipeline.hot import erasures, restored
from activity_pipeline.hot.connection import BulkConnection, Statements

TRIES = 3
"""How often a day is loaded whose archive becomes another one meanwhile."""


@dataclass(frozen=True, slots=True)
class RestoredDay:
    """A day that is back.

    Attributes:
        day: The day.
        rows: Its rows.
        until: When its time is over.
        extended: Whether it was there already, so that only its time changed.
    """

    day: date
    rows: int
    until: datetime
    extended: bool


def restorable_days(statements: Statements, days: Collection[date] | None = None) -> list[date]:
    """Return the days with rows that only the archive has, in order; of `days` alone where given."""
    return [day.day for day in hot.list_days(statements, days) if day.retired_generation]


def restore_days(
    statements: Statements, bulk: BulkConnection, store: ArchiveStore, days: Sequence[date], ttl: timedelta
) -> Iterator[RestoredDay]:
    """Restore days, each for `ttl` from when it is there; yields each as it is. Others are left out.

    A day that is restored already stays for `ttl` from now, or for as long as it would have.

    Raises:
        ArchiveError: A manifest or file is not what was published; that day is not restored.
        GateError: Postgres took other rows than the manifest says; neither is that one.
    """
    with duckdb.connect(":memory:") as connection:
        restore = _Restore(statements, bulk, store, connection, ttl)
        for day in restorable_days(statements, days):
            yield restore.day(day)


def expire_days(statements: Statements, now: datetime) -> list[date]:
    """Drop the restored days whose time is over; return them.

    Raises:
        StoreBusyError: Queries read them for as long as we waited.
    """
    return restored.drop(statements, restored.days_over(statements, now), now=now)


def give_back_days(statements: Statements, days: Collection[date]) -> list[date]:
    """Drop restored days, whatever their time; return those that were restored.

    Raises:
        StoreBusyError: Queries read them for as long as we waited.
    """
    held = [day.day for day in hot.list_days(statements, days) if day.restored_until]
    return restored.drop(statements, held)


@dataclass
class _Restore:
    """A restore under way.

    Attributes:
        statements: Postgres, for statements.
        bulk: Postgres, for rows.
        store: The archive.
        connection: A DuckDB connection.
        ttl: How long days stay.
        manifests: Those read so far, by name; many days may share one.
        sound: Paths of the files whose bytes were looked at; many days may share one, too.
    """

    statements: Statements
    bulk: BulkConnection
    store: ArchiveStore
    connection: duckdb.DuckDBPyConnection
    ttl: timedelta
    manifests: dict[str, Manifest] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)

    def day(self, day: date) -> RestoredDay:
        """Restore a day, or extend its time."""
        for _ in range(TRIES):
            until = restored.extend(self.statements, day, datetime.now(UTC) + self.ttl)
            (seen,) = hot.list_days(self.statements, [day])
            if until:
                return RestoredDay(day, seen.archived_rows, until, extended=True)
            if loaded := self._load(seen):
                return loaded
        raise ArchiveError(f"the archive of {day} became another one each time it was restored", day=day)

    def _load(self, seen: hot.Day) -> RestoredDay | None:
        """Load a day as it is seen; None where it is restored or another one by then."""
        day = seen.day
        files = self._entry(seen).up_to(seen.retired_generation)
        for file in files:
            if file.path not in self.sound:
                check_bytes(self.store, file)
                self.sound.add(file.path)
        said = sum((file.content for file in files), EMPTY)
        with restored.restoring(self.bulk, day) as table:
            if table is None:
                return None
            if erasures.list_erasures(self.statements, unfinished=True):
                raise ArchiveError("an erasure is under way, or was interrupted and must be run again first")
            held = table.fill(self._rows(day, files) if files else [])
            if held != said:
                raise GateError(
                    f"{day}: Postgres took {held.rows} events ({held.digest}) from the Parquet, the manifest "
                    f"says {said.rows} ({said.digest}); nothing was restored",
                    day=day,
                    hot=held,
                    cold=said,
                )
            until = datetime.now(UTC) + self.ttl
            return RestoredDay(day, held.rows, until, extended=False) if table.attach(seen, until) else None

    def _rows(self, day: date, files: list[DataFile]) -> Iterator[pa.RecordBatch]:
        """Stream a day's rows; raises ArchiveError where a file cannot be read."""
        paths = [file.path for file in files]
        try:
            with stored_rows(self.store, paths, self.connection, within([day])) as rows:
                yield from rows
        except (duckdb.Error, OSError) as error:
            raise ArchiveError(f"the archive of {day} cannot be read: {error}", day=day) from error

    def _entry(self, seen: hot.Day) -> DayEntry:
        """Return what the manifest that Postgres knows says of a day, if it is still that manifest."""
        name = seen.manifest or ""
        if name not in self.manifests:
            manifest, sha256 = read_manifest(self.store, name)
            if sha256 != hot_chain.noted_sha256(self.statements, name):
                raise ManifestError(f"{name} is not the manifest that was published", name=name)
            self.manifests[name] = manifest
        return self.manifests[name].entry(seen.day)
