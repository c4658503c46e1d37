"""Daily counts as dense matrices, a bounded block of series at a time.

The table is sparse: a day without events has no row. Here such a day is a zero, so that
"the same weekday n weeks ago" is a shift of a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from activity_pipeline.anomalies.model import HOURS_OF_DAY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BLOCK_CELLS: Final = 2**19
"""Series times days held densely at once: 4 MiB for each matrix of a block."""


@dataclass(frozen=True, slots=True)
class Block:
    """Dense counts of neighbouring series.

    Attributes:
        first: Index of the first series of the block in its grid.
        events: Events, shape (series, days).
        failures: Failed events among them, same shape.
    """

    first: int
    events: Floats
    failures: Floats


@dataclass(frozen=True, slots=True)
class Grid:
    """Sparse counts over consecutive days or their hours, sorted by series and time.

    Attributes:
        origin: Day of column 0.
        width: Number of days, or of their hours.
        names: Columns source and action, a row per series; sorted.
        series, column: Where each count belongs.
        events, failures: The counts.
    """

    origin: date
    width: int
    names: pl.DataFrame
    series: Ints
    column: Ints
    events: Floats
    failures: Floats

    @classmethod
    def of(cls, counts: pl.DataFrame, *, origin: date, end: date) -> Grid:
        """Index daily counts by series and day.

        Args:
            counts: Columns source, action, date, events, failures; one row per series and day.
            origin: Day of the first column.
            end: Day of the last column.
        """
        names = counts.select("source", "action").unique().sort("source", "action").with_row_index("series")
        cells = (
            counts.join(names, on=["source", "action"])
            .with_columns(column=(pl.col("date") - pl.lit(origin)).dt.total_days())
            .sort("series", "column")
        )
        return cls(
            origin=origin,
            width=(end - origin).days + 1,
            names=names.select("source", "action"),
            series=cells["series"].cast(pl.Int64).to_numpy(),
            column=cells["column"].cast(pl.Int64).to_numpy(),
            events=cells["events"].cast(pl.Float64).to_numpy(),
            failures=cells["failures"].cast(pl.Float64).to_numpy(),
        )

    @classmethod
    def of_hours(cls, counts: pl.DataFrame, *, origin: date, end: date) -> Grid:
        """Index hourly counts likewise, 24 columns a day.

        Args:
            counts: Columns source, action, hour, events; one row per series and hour.
            origin: Day of the first columns.
            end: Day of the last ones.
        """
        names = counts.select("source", "action").unique().sort("source", "action").with_row_index("series")
        start = pl.lit(origin).cast(pl.Datetime("us", "UTC"))
        cells = (
            counts.join(names, on=["source", "action"])
            .with_columns(column=(pl.col("hour") - start).dt.total_hours())
            .sort("series", "column")
        )
        events = cells["events"].cast(pl.Float64).to_numpy()
        return cls(
            origin=origin,
            width=((end - origin).days + 1) * HOURS_OF_DAY,
            names=names.select("source", "action"),
            series=cells["series"].cast(pl.Int64).to_numpy(),
            column=cells["column"].cast(pl.Int64).to_numpy(),
            events=events,
            failures=np.zeros_like(events),
        )

    def blocks(self) -> Iterator[Block]:
        """All series, densely, in blocks of at most `BLOCK_CELLS` cells or one series."""
        size = max(1, BLOCK_CELLS // self.width)
        for first in range(0, self.names.height, size):
            count = min(size, self.names.height - first)
            cells = slice(*np.searchsorted(self.series, (first, first + count)))
            where = (self.series[cells] - first, self.column[cells])
            events = np.zeros((count, self.width))
            failures = np.zeros((count, self.width))
            events[where] = self.events[cells]
            failures[where] = self.failures[cells]
            yield Block(first=first, events=events, failures=failures)


def next_event(events: Floats) -> Ints:
    """Column of the first event at or after each cell, the width where there is none."""
    width = events.shape[1]
    column = np.where(events > 0, np.arange(width), width)
    return np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]


def last_event(events: Floats) -> Ints:
    """Column of the last event at or before each cell, -1 where there is none."""
    column = np.where(events > 0, np.arange(events.shape[1]), -1)
    return np.maximum.accumulate(column, axis=1)
