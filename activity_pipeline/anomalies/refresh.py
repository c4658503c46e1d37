"""Judging days anew from their stored metrics, and keeping the verdicts."""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta

import polars as pl
import pyarrow as pa

from activity_pipeline.anomalies.detect import detect, detect_hours, detect_users
from activity_pipeline.anomalies.explain import ORDER
from activity_pipeline.anomalies.model import ANOMALY_SCHEMA, DEFAULT_SETTINGS, DetectionSettings
from activity_pipeline.anomalies.newcomers import find_newcomers
from activity_pipeline.archive.analyst.results import write_month
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot import results
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.operations import measured

TABLE: results.ResultTable = "activity_anomalies_daily"

DAYS_AT_ONCE = timedelta(days=28)
"""Of hours and users: a year of them would not fit into memory."""


def refresh_anomalies(
    statements: Statements,
    bulk: BulkConnection,
    store: ArchiveStore,
    days: Collection[date],
    *,
    settings: DetectionSettings = DEFAULT_SETTINGS,
) -> pl.DataFrame:
    """Judge days and replace their anomalies, in Postgres and beside the archive.

    Days without any event can be judged too: that is what a silent source looks like. Today is not
    over, so it is not judged for what has not happened yet.

    Returns:
        The anomalies of the days, ANOMALY_SCHEMA.
    """
    if not days:
        return detect(pl.DataFrame(), [], through=today(), settings=settings)
    with results.one_at_a_time(statements, "anomalies"), measured("anomalies", times=len(days)):
        revisions = results.revisions_of(statements, days)
        generations = results.generations_of(statements, days)
        found = _judge(bulk, days, settings).with_columns(
            generation=_of_day(generations, pl.Int32), revision=_of_day(revisions, pl.Int64)
        )
        results.replace_days(bulk, days, {TABLE: found.to_arrow()})
        for month in results.months_of(days):
            month_end = month.replace(day=calendar.monthrange(month.year, month.month)[1])
            write_month(store, TABLE, month, results.read_table(bulk, TABLE, month, month_end))
        results.note_computed(statements, "anomalies", revisions)
        return found.select(ANOMALY_SCHEMA.names())


def _judge(bulk: BulkConnection, days: Collection[date], settings: DetectionSettings) -> pl.DataFrame:
    ordered, through = sorted(set(days)), today() - ONE_DAY
    back = timedelta(days=settings.history_days)
    metrics = frame(results.read_table(bulk, "activity_metrics_daily", ordered[0] - back, ordered[-1]))
    by_day = detect(metrics, ordered, through=through, settings=settings)
    newcomers = find_newcomers(frame(results.first_seen(bulk)), ordered, settings=settings)
    found = [by_day, newcomers]
    for some in _close_together(ordered):
        first, last = some[0], some[-1]
        hourly = results.read_table(
            bulk, "activity_metrics_hourly", first - timedelta(days=settings.hour_days), last
        )
        found.append(detect_hours(frame(hourly), by_day, some, through=through, settings=settings))
        start = first - timedelta(days=settings.baseline_days)
        users = results.read_table(bulk, "activity_users_daily", start, last)
        found.append(detect_users(with_text_ids(users), some, settings=settings))
    return pl.concat(found).sort(*ORDER)


def _close_together(days: Sequence[date]) -> Iterator[Sequence[date]]:
    """Split days so that what is read of hours and users at once covers few of them."""
    start = 0
    for place in range(1, len(days) + 1):
        if place == len(days) or days[place] - days[start] >= DAYS_AT_ONCE:
            yield days[start:place]
            start = place


def _of_day(values: Mapping[date, int], kind: type[pl.DataType]) -> pl.Expr:
    return pl.col("date").replace_strict(values, default=0, return_dtype=kind)


def with_text_ids(users: pa.Table) -> pl.DataFrame:
    """Return activity_users_daily as polars has it, its user_id as text."""
    ids = pa.chunked_array([chunk.storage for chunk in users["user_id"].chunks], pa.binary(16))
    text = pl.col("user_id").cast(pl.Binary).bin.encode("hex")
    parts = (text.str.slice(start, size) for start, size in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12)))
    place = users.schema.get_field_index("user_id")
    table = frame(users.set_column(place, "user_id", ids.cast(pa.binary())))
    return table.with_columns(user_id=pl.concat_str(*parts, separator="-"))


def frame(rows: object) -> pl.DataFrame:
    """Return a table of metrics as polars has it.

    Raises:
        TypeError: It is no table.
    """
    table = pl.from_arrow(rows)
    if not isinstance(table, pl.DataFrame):
        raise TypeError(f"a table of metrics is expected, not {type(rows).__name__}")
    return table
