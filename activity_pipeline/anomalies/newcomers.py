"""Sources and actions that were never seen before.

A new source is one row, whatever it does on its first day; an action is new where its source was
there before. On the first days of all everything is new, and nothing is reported.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

import polars as pl

from activity_pipeline.anomalies.explain import explain
from activity_pipeline.anomalies.model import ANOMALY_SCHEMA, DEFAULT_SETTINGS, DetectionSettings

FIRST_SEEN_SCHEMA: Final = pl.Schema(
    {"source": pl.String(), "action": pl.String(), "first": pl.Date(), "events": pl.Int64()}
)
"""The first day of each action, and its events on that day."""


def find_newcomers(
    first_seen: pl.DataFrame, days: Collection[date], *, settings: DetectionSettings = DEFAULT_SETTINGS
) -> pl.DataFrame:
    """Say which sources and actions appeared on the days for the first time.

    The p-value is how often a day brings such a newcomer, by Laplace's rule: the days before on which
    one of the kind appeared, and one more, out of all days before, and two more.

    Args:
        first_seen: FIRST_SEEN_SCHEMA, of all that was ever seen.
        days: The days to judge.
        settings: `min_history_days` without any verdict come first.

    Returns:
        One row per newcomer, of ANOMALY_SCHEMA.
    """
    begin = first_seen["first"].min()
    if not isinstance(begin, date):
        return ANOMALY_SCHEMA.to_frame()
    sources = first_seen.group_by("source").agg(pl.col("first").min().alias("source_first"))
    known = first_seen.join(sources, on="source")
    new_sources = (
        known.filter(pl.col("first") == pl.col("source_first"))
        .group_by("source", "first")
        .agg(pl.col("events").sum())
        .with_columns(action=pl.lit(""))
    )
    new_actions = known.filter(pl.col("first") > pl.col("source_first"))
    judged = pl.Series(sorted(days), dtype=pl.Date)
    rows = []
    for kind, found in (("new_source", new_sources), ("new_action", new_actions)):
        first = found["first"].unique().sort()
        judgeable = begin + timedelta(days=settings.min_history_days)
        of_days = found.filter(pl.col("first").is_in(judged.implode()), pl.col("first") >= judgeable)
        before = first.search_sorted(of_days["first"], side="left")
        age = (of_days["first"] - begin).dt.total_days()
        rows.append(
            of_days.select(
                date="first",
                kind=pl.lit(kind),
                source="source",
                action="action",
                observed=pl.col("events").cast(pl.Float64),
                expected=pl.lit(0.0),
                lower=pl.lit(0.0),
                upper=pl.lit(0.0),
                p_value=pl.Series((before + 1) / (age + 2), dtype=pl.Float64),
                events=pl.col("events").cast(pl.Float64),
            )
        )
    return explain(pl.concat(rows))
