"""Events of a year, made once and kept in a folder: hot days, an open one, and cold ones in the archive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
from psycopg import sql

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.bench.turns import Say
from activity_pipeline.events.days import ONE_DAY, day_range, span_of, today
from activity_pipeline.hot.connection import Statements, connect, open_hot
from activity_pipeline.hot.days import seal, sum_up
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.local import LocalStack

SQL = load_queries(__file__)
HOT_DAYS = 30
COLD_DAYS = 335
DAYS_PER_STEP = 30
DATABASE = "bench_query"


class Sizes(msgspec.Struct, frozen=True):
    """How much there is.

    Attributes:
        hot_rows: Rows of the hot days, the open one included.
        open_rows: Rows of the open day.
        cold_rows: Rows of the archive.
        day: The open day.
    """

    hot_rows: int
    open_rows: int
    cold_rows: int
    day: date


@dataclass(frozen=True, slots=True)
class Data:
    """The events, on servers that run.

    Attributes:
        stack: The servers.
        dsn: The database.
        store: The archive.
        day: The open day.
    """

    stack: LocalStack
    dsn: str
    store: ArchiveStore
    day: date

    @property
    def since(self) -> datetime:
        """The first instant of the hot days."""
        return span_of([self.day - (HOT_DAYS - 1) * ONE_DAY])[0]


@contextlib.contextmanager
def open_data(folder: Path, hot_rows: int, open_rows: int, cold_rows: int, say: Say) -> Iterator[Data]:
    """Start servers in a folder; make the events where it does not have just these."""
    sizes = Sizes(hot_rows, open_rows, cold_rows, today())
    marker = folder / "ready.json"
    with LocalStack(folder / "state") as stack:
        data = Data(stack, stack.postgres_dsn_for(DATABASE), ArchiveStore(str(folder / "archive")), sizes.day)
        if not marker.exists() or msgspec.json.decode(marker.read_bytes(), type=Sizes) != sizes:
            marker.unlink(missing_ok=True)
            _make(data, sizes, say)
            marker.write_bytes(msgspec.json.encode(sizes))
        else:
            with connect(data.dsn) as statements:
                migrate(statements)  # made by an earlier release
                _renew_open_day(statements, sizes)
        yield data


def _make(data: Data, sizes: Sizes, say: Say) -> None:
    for path in data.store.find(""):
        data.store.remove(path)
    with connect(data.stack.postgres_dsn) as admin:
        name = sql.Identifier(DATABASE)
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        admin.execute(sql.SQL("create database {}").format(name))
    with open_hot(data.dsn) as (statements, bulk):
        migrate(statements)
        first_hot = data.since.date()
        first_cold = first_hot - COLD_DAYS * ONE_DAY
        for start in range(0, COLD_DAYS, DAYS_PER_STEP):
            days = list(
                day_range(
                    first_cold + start * ONE_DAY,
                    min(first_cold + (start + DAYS_PER_STEP) * ONE_DAY, first_hot) - ONE_DAY,
                )
            )
            say(f"cold days {days[0]} to {days[-1]}")
            _fill(statements, days, sizes.cold_rows * len(days) // COLD_DAYS)
            archive_days(statements, bulk, data.store, days)
        list(compact(statements, data.store))
        settled = list(day_range(first_hot, data.day - ONE_DAY))
        say("hot days")
        for day in settled:
            _fill(statements, [day], (sizes.hot_rows - sizes.open_rows) // len(settled))
        seal(statements, settled)
        statements.execute(SQL["settle"])
        _renew_open_day(statements, sizes)
        say("the legacy table")
        statements.execute(SQL["legacy_table"])
        statements.execute(SQL["legacy_fill"], {"since": data.since})
        statements.execute(SQL["legacy_indexes"])


def _renew_open_day(statements: Statements, sizes: Sizes) -> None:
    """Fill the open day anew: events came in while an earlier run asked its questions."""
    statements.execute(SQL["create_day"], {"day": sizes.day})
    partition = sql.Identifier(f"activity_logs_current_{sizes.day:%Y%m%d}")
    statements.execute(sql.SQL("truncate {}").format(partition))
    _fill(statements, [sizes.day], sizes.open_rows, until=datetime.now(UTC))
    sum_up(statements)
    statements.execute(sql.SQL("vacuum (analyze) {}").format(partition))


def _fill(statements: Statements, days: list[date], rows: int, until: datetime | None = None) -> None:
    for day in days:
        statements.execute(SQL["create_day"], {"day": day})
    start, end = span_of(days)
    asked = {
        "since": start,
        "until": max(until, start + timedelta(minutes=1)) if until else end,
        "rows": rows,
        "users": 20_000,
        "things": 50_000,
    }
    statements.execute(SQL["fill"], asked)
