"""Judging days anew from their stored metrics, and keeping the verdicts."""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import date, timedelta

import polars as pl

from activity_pipeline.anomalies.detect import detect
from activity_pipeline.anomalies.model import DEFAULT_SETTINGS, DetectionSettings
from activity_pipeline.anomalies.newcomers import find_newcomers
from activity_pipeline.archive.analyst.results import write_month
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot import results
from activity_pipeline.hot.connection import BulkConnection, Statements

TABLE: results.ResultTable = "activity_anomalies_daily"


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
    with results.one_at_a_time(statements, "anomalies"):
        first, last = min(days), max(days)
        revisions = results.revisions_of(statements, days)
        metrics = results.read_table(
            bulk, "activity_metrics_daily", first - timedelta(days=settings.history_days), last
        )
        found = pl.concat(
            [
                detect(_frame(metrics), days, through=today() - ONE_DAY, settings=settings),
                find_newcomers(_frame(results.first_seen(bulk)), days, settings=settings),
            ]
        ).sort("date", "source", "action", "kind")
        judged_from = pl.col("date").replace_strict(revisions, default=0, return_dtype=pl.Int64)
        results.replace_days(bulk, days, {TABLE: found.with_columns(revision=judged_from).to_arrow()})
        for month in results.months_of(days):
            month_end = month.replace(day=calendar.monthrange(month.year, month.month)[1])
            write_month(store, TABLE, month, results.read_table(bulk, TABLE, month, month_end))
        results.note_computed(statements, "anomalies", revisions)
        return found


def _frame(rows: object) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"a table of metrics is expected, not {type(rows).__name__}")
    return frame
