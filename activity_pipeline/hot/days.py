"""The life of a day in Postgres: created, sealed, frozen, retired. See `activity_days`.

    state      new events go to          rows live in
    open       activity_logs_current     its partition, primary key alone
    sealed     activity_logs_current     its partition, all indexes
    frozen     activity_logs_late        its partition, or activity_logs_late up to late_cut
    exported   activity_logs_late        the same, and Parquet
    archived   activity_logs_late        Parquet
    reopened   activity_logs_late        Parquet (from its first generation on) and activity_logs_late

`freeze` and `retire` hold the routes lock, so no batch is under way while a day changes its state.

Which indexes are light enough for a day that is open: COPY of 200,000 rows into one day, then four
look-ups of the newest 50 rows (medians of 5 rounds in turns; Postgres 18.4, 2 cores, 2026-11):

    indexes of the day             rows/s          B/row   user      entity    action    metadata
    primary key (timestamp, id)    151 k    1.00     324   33 ms     32 ms     31 ms     54 ms
    + hash (user)                  133 k    0.88     337   0.7 ms    36 ms     36 ms     58 ms
    + hash (user), hash (entity)    90 k    0.60     374   1.0 ms    0.8 ms    37 ms     55 ms
    + (user, time)                  99 k    0.66     363   0.9 ms    41 ms     37 ms     58 ms
    + (user, time), (entity, time)  64 k    0.42     427   0.7 ms    0.5 ms    36 ms     58 ms
    all of a sealed day             26 k    0.17     684   0.6 ms    0.5 ms    1.2 ms    4.9 ms

So an open day has its primary key alone: every filter scans that one day in the time of a keystroke,
and an index that spares one filter the scan takes an eighth of the rate or more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from activity_pipeline.errors import GateError, StoreBusyError
from activity_pipeline.events.content import EMPTY, Content
from activity_pipeline.hot import content
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.operations import measured

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Day:
    """A row of `activity_days`; see the comments of its columns."""

    day: date
    state: str
    revision: int
    generation: int
    late_cut: int | None
    exported_rows: int | None
    exported_hash: str | None
    exported_versions: str | None
    archived_rows: int
    archived_bytes: int
    manifest: str | None
    restored_until: datetime | None

    @property
    def retired_generation(self) -> int:
        """The newest generation whose rows have left Postgres, 0 for none."""
        return self.generation - (self.state == "exported")

    @property
    def exported(self) -> content.Held:
        """What Postgres held of the day's generation when it was exported."""
        return content.Held(
            Content.parse(self.exported_rows or 0, self.exported_hash or EMPTY.digest),
            self.exported_versions or "",
        )


@dataclass(frozen=True, slots=True)
class Retirement:
    """What a day must hold in Postgres to be dropped from it, and what its archive then holds.

    Attributes:
        day: The day.
        generation: The generation that was exported.
        content: Content of the generation's new rows, as read back from Parquet.
        archived_rows: Rows of the day in all its files.
        archived_bytes: Size of those files, bytes.
    """

    day: date
    generation: int
    content: Content
    archived_rows: int
    archived_bytes: int


def ensure_days(connection: Statements, days: Collection[date], *, hot_since: date) -> None:
    """Make days known that are not: with a partition from `hot_since` on, as late days before it."""
    known = {row[0] for row in connection.execute(_SQL["known"], {"days": list(days)})}
    for day in sorted(set(days) - known):
        connection.execute(_SQL["create_day" if day >= hot_since else "create_late_day"], {"day": day})


def list_days(connection: Statements, days: Collection[date] | None = None) -> list[Day]:
    """Return days in order, all of them or those asked for that are known."""
    with connection.cursor(row_factory=class_row(Day)) as cursor:
        return cursor.execute(_SQL["list"], {"days": None if days is None else list(days)}).fetchall()


def due_days(connection: Statements, *, hot_since: date) -> list[date]:
    """Return the days that the archive should take: out of the hot window, or reopened."""
    return [row[0] for row in connection.execute(_SQL["due"], {"hot_since": hot_since})]


def unsealed_days(connection: Statements, *, hot_since: date, before: date) -> list[date]:
    """Return the open days from `hot_since` on that lie before a day."""
    return [day.day for day in list_days(connection) if day.state == "open" and hot_since <= day.day < before]


def seal(connection: Statements, days: Collection[date]) -> list[date]:
    """Seal open days, each in a transaction of its own; return those that were open."""
    sealed = []
    for day in sorted(days):
        with measured("seal") as call:
            call.times = int(bool(_scalar(connection, "seal", {"day": day})))
        if call.times:
            sealed.append(day)
    return sealed


def freeze(connection: Statements, days: Sequence[date]) -> list[Day]:
    """Close days to new rows, which go to the next generation; frozen or exported ones stay as they are."""
    with connection.transaction():
        connection.execute(_SQL["lock_routes"])
        connection.execute(_SQL["freeze"], {"days": list(days)})
    frozen = {"frozen", "exported"}
    return [day for day in list_days(connection, days) if day.state in frozen]


def held_of(connection: Statements, days: Collection[date]) -> dict[date, content.Held]:
    """Hash, in Postgres, the rows of each frozen or exported day's generation; one without rows is absent."""
    return content.held(connection, *_on_their_way(connection, days))


def content_of(connection: Statements, days: Collection[date]) -> dict[date, Content]:
    """Return the content alone of what `held_of` finds."""
    return {day: held.content for day, held in held_of(connection, days).items()}


def _held_or_noted(connection: Statements, days: Collection[date]) -> dict[date, Content]:
    """Return what Postgres holds of exported days, hashed again where row versions are not those noted."""
    noted = {day.day: day for day in list_days(connection, days) if day.state == "exported"}
    now = content.versions(connection, *_on_their_way(connection, list(noted)))
    same = {day: each.exported for day, each in noted.items() if each.exported.versions == now[day]}
    return {
        **{day: held.content for day, held in same.items()},
        **content_of(connection, noted.keys() - same.keys()),
    }


def _on_their_way(connection: Statements, days: Collection[date]) -> tuple[list[date], list[date]]:
    """Return the frozen and exported days: those with a partition, and those of late rows."""
    known = [day for day in list_days(connection, days) if day.state in {"frozen", "exported"}]
    return (
        [day.day for day in known if day.late_cut is None],
        [day.day for day in known if day.late_cut is not None],
    )


def drop_known(connection: Statements, day: date, timestamps: Sequence[datetime], ids: Sequence[UUID]) -> int:
    """Take late rows out that an older generation holds already; the ledger counts them as duplicates.

    The day's revision grows: what was computed from it counted them twice.
    """
    with connection.transaction():
        removed: int = _scalar(connection, "drop_known", {"timestamps": list(timestamps), "ids": list(ids)})
        connection.execute(_SQL["recount"], {"day": day, "count": removed})
        connection.execute(_SQL["revise"], {"day": day})
    return removed


def gate_errors(hot: Mapping[date, Content], cold: Mapping[date, Content]) -> dict[date, GateError]:
    """Compare what Postgres holds of each day with what was read back from Parquet.

    Returns:
        An error for each day that differs, with `day`, `hot` and `cold`.
    """
    errors: dict[date, GateError] = {}
    for day, parquet in cold.items():
        held = hot.get(day, EMPTY)
        if held != parquet:
            errors[day] = GateError(
                f"{day}: Postgres holds {held.rows} events ({held.digest}), the Parquet {parquet.rows} "
                f"({parquet.digest}); nothing was dropped",
                day=day,
                hot=held,
                cold=parquet,
            )
    return errors


def check_gate(hot: Mapping[date, Content], cold: Mapping[date, Content]) -> None:
    """Compare as `gate_errors` does.

    Raises:
        GateError: Of the first day that differs.
    """
    for error in gate_errors(hot, cold).values():
        raise error


def retire(
    connection: Statements, retirements: Sequence[Retirement], *, lock_timeout_s: float = 2.0
) -> list[date]:
    """Drop exported days from Postgres, all or none; the gate before a day leaves it.

    The rows must be the very row versions that were hashed before the export was published, or are hashed
    once more and must equal the Parquet's, and nobody can change one between that and its end. Exported
    days take no new rows, so a partition is closed to writers while it is looked at, and everybody else
    waits only as long as dropping takes; late rows share a table with new ones and are looked at within
    that time. A day that another run has retired meanwhile is left as it is. Rows of a day that is restored
    join it (hot/restored.py).

    Returns:
        The days that were dropped.

    Raises:
        GateError: With `day`, `hot` and `cold`; nothing was dropped.
        StoreBusyError: Something held the tables for longer than `lock_timeout_s`; nothing was dropped.
    """
    by_day = {retirement.day: retirement for retirement in retirements}
    try:
        with connection.transaction():
            connection.execute(_SQL["set_lock_timeout"], {"timeout": f"{lock_timeout_s}s"})
            return _retire(connection, by_day)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
        raise _busy(connection, list(by_day)) from error


def _retire(connection: Statements, by_day: Mapping[date, Retirement]) -> list[date]:
    connection.execute(_SQL["lock_retirements"])
    partitions = [day for (day,) in connection.execute(_SQL["partitions"], {"days": list(by_day)})]
    for day in partitions:
        connection.execute(_SQL["lock_day"], {"day": day})
    held = _held_or_noted(connection, partitions)
    connection.execute(_SQL["lock_routes"])
    dropped = [
        day
        for day, generation in connection.execute(_SQL["lock_exported"], {"days": list(by_day)})
        if generation == by_day[day].generation
    ]
    if late := [day for day in dropped if day not in partitions]:
        connection.execute(_SQL["lock_late"])
        held |= _held_or_noted(connection, late)
    check_gate(held, {day: by_day[day].content for day in dropped})
    connection.execute(_SQL["keep_restored"], {"days": late})
    connection.execute(_SQL["retire_late"], {"days": late}, prepare=False)
    for day in partitions:
        if day in dropped:
            connection.execute(_SQL["drop_day"], {"day": day})
    with connection.cursor() as cursor:
        cursor.executemany(
            _SQL["mark_archived"],
            [
                {"day": day, "rows": by_day[day].archived_rows, "bytes": by_day[day].archived_bytes}
                for day in dropped
            ],
        )
    return dropped


def _busy(connection: Statements, days: Sequence[date]) -> StoreBusyError:
    """Say who is in the way, by what Postgres knows of sessions and not by what they asked."""
    holders = connection.execute(_SQL["holders"], {"days": days}).fetchall()
    said = ", ".join(
        f"session {pid} ({name}, {state}) for {seconds} s" for pid, name, state, seconds in holders
    )
    span = f"{min(days)}" if len(days) == 1 else f"{min(days)} to {max(days)}"
    return StoreBusyError(
        f"{span}: nothing was dropped, the tables are held by {said or 'another session'}",
        days=days,
        pids=[pid for pid, *_ in holders],
    )


def _scalar(connection: Statements, query: str, parameters: dict[str, Any]) -> Any:
    row = connection.execute(_SQL[query], parameters).fetchone()
    return row[0] if row else None
