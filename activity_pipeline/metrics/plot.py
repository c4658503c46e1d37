"""A picture of a day's volume by hour against what its weekday usually has."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from activity_pipeline.events.days import ONE_DAY

WEEKS: Final = 8
HOURS: Final = 24
ENOUGH: Final = 3
"""With fewer earlier weeks there is no telling what is usual."""

BAND: Final = (10, 90)
"""Percentiles of the shaded range."""


def usual_days(day: date) -> list[date]:
    """Return the same weekday of the weeks before, oldest first."""
    return [day - 7 * week * ONE_DAY for week in range(WEEKS, 0, -1)]


def plot_volume(day: date, volume: Mapping[datetime, int]) -> bytes:
    """Draw a day's events by hour over the median and range of the same weekday before; return a PNG.

    Args:
        day: The UTC day.
        volume: Events of each hour that has any, of the day and of its `usual_days`. Days before the
            first event of all say nothing of what is usual.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - for this alone
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415

    hours = np.arange(HOURS)
    first = min(volume, default=None)
    known = [each for each in usual_days(day) if first and each >= first.date()]
    figure = Figure(figsize=(7.2, 2.7), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.bar(hours, _of_day(day, volume), width=0.75, color="#4c78a8", label=f"{day:%a %Y-%m-%d}", zorder=2)
    if len(known) >= ENOUGH:
        history = np.array([_of_day(each, volume) for each in known])
        lower, upper = np.percentile(history, BAND, axis=0)
        axes.fill_between(
            hours, lower, upper, step="mid", color="#f58518", alpha=0.25, linewidth=0, zorder=3,
            label=f"{BAND[0]}th to {BAND[1]}th percentile",
        )  # fmt: skip
        axes.step(
            hours, np.median(history, axis=0), where="mid", color="#e45756", linewidth=1.6, zorder=4,
            label=f"median of {len(known)} {day:%A}s before",
        )  # fmt: skip
    axes.set_title(f"Events by hour on {day:%A %Y-%m-%d}", loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel("hour, UTC", fontsize=8)
    axes.set_ylabel("events", fontsize=8)
    axes.set_xticks(range(0, HOURS, 3), [f"{hour:02}:00" for hour in range(0, HOURS, 3)])
    axes.set_xlim(-0.6, HOURS - 0.4)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#dddddd", linewidth=0.7, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    FigureCanvasAgg(figure)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _of_day(day: date, volume: Mapping[datetime, int]) -> npt.NDArray[np.int64]:
    start = datetime.combine(day, time(), UTC)
    return np.array([volume.get(start + timedelta(hours=hour), 0) for hour in range(HOURS)])
