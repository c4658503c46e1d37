"""Tables of daily counts for the tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

START = date(2026, 1, 5)
"""A Monday."""

SCHEMA = pl.Schema(
    {
        "date": pl.Date(),
        "source": pl.String(),
        "action": pl.String(),
        "status": pl.String(),
        "count": pl.Int64(),
    }
)

Row = tuple[date, str, str, str, int]


def day(index: int) -> date:
    return START + timedelta(days=index)


def days(first: int, last: int) -> list[date]:
    """Days `first` to `last`, both included."""
    return [day(index) for index in range(first, last + 1)]


def table(*parts: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame([row for part in parts for row in part], schema=SCHEMA, orient="row")


def series(
    counts: Sequence[int], source: str = "shop", action: str = "sold", status: str = "success"
) -> list[Row]:
    """One row for each day with events."""
    return [(day(index), source, action, status, count) for index, count in enumerate(counts) if count]


def traffic(mean: float, length: int, seed: int = 0) -> list[int]:
    """Poisson counts with quiet weekends."""
    rng = np.random.default_rng(seed)
    week = np.array([1.0, 0.9, 1.0, 1.0, 1.1, 0.5, 0.4])
    counts: list[int] = rng.poisson(mean * week[np.arange(length) % 7]).tolist()
    return counts
