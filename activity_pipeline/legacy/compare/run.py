"""Audit rows against events, hour by hour; each day's outcome is kept once its last hour was judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from activity_pipeline.errors import LegacyError, StoreError
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.changes import ToldChange, told_changes
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.legacy import keep_compared
from activity_pipeline.hot.outbox import oldest_waiting_s
from activity_pipeline.ingest.lag import lag_figures
from activity_pipeline.legacy.compare.pairs import Pair, pair_up
from activity_pipeline.legacy.compare.read import audited_changes
from activity_pipeline.legacy.compare.report import Report
from activity_pipeline.legacy.compare.scope import Scope, begun
from activity_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Spans:
    """How time is cut.

    Attributes:
        window: How much is read at a time; a day is a multiple of it.
        skew: How far the two tell a change's time apart, and how long a transaction may take.
        grace: How long an event may take from the application into the tables.
    """

    window: timedelta = timedelta(hours=1)
    skew: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        """Refuse windows that would lie on two days."""
        if not timedelta() < self.window <= ONE_DAY or ONE_DAY % self.window:
            raise LegacyError(
                f"a window is a part of a day, such as 15, 60 or 240 minutes: not {self.window}"
            )


def waiting_s(settings: Settings, application: Statements) -> float:
    """Return for how long the oldest event has waited, in queue or outbox, in seconds.

    Raises:
        StoreError: The queue cannot be asked: nothing is known of what is missing.
    """
    queue = lag_figures(settings.redis_url, settings.postgres_dsn, shards=settings.queue_shards)
    if not queue:
        raise StoreError("the queue does not answer: what is on its way cannot be told from what is missing")
    return max(float(queue["queue_oldest_s"]), oldest_waiting_s(application))


def settled_until(application: Statements, oldest_s: float, spans: Spans) -> datetime:
    """Return until when all changes are told, if they are told at all.

    Args:
        application: Its open transactions will write rows of the past.
        oldest_s: For how long the oldest event has waited for its drain, in seconds.
        spans: How long events may take.
    """
    now = datetime.now(UTC)
    return min(now - spans.grace, now - timedelta(seconds=oldest_s), begun(application))


def compare(
    application: Statements,
    ours: Statements,
    scope: Scope,
    since: datetime,
    until: datetime,
    *,
    spans: Spans | None = None,
    progress: Callable[[datetime], None] = lambda _: None,
) -> Report:
    """Compare what triggers and what events tell, and keep the outcome of each day.

    A day that was compared before is compared anew, from `since` on. No more is in memory than one
    transaction's changes.

    Args:
        application: The application's database; only read.
        ours: The events.
        scope: What is compared.
        since: From when on; the beginning of its window.
        until: Until when, at the most; see `settled_until`. A window that ends later is not judged.
        spans: How time is cut.
        progress: Told the end of each window.
    """
    spans = spans or Spans()
    report = Report(_floor(until, spans.window))
    for day, windows in _days(_floor(since, spans.window), report.judged_until, spans.window):
        for start in windows:
            for pair in _judged(application, ours, scope, start, spans):
                report.add(pair)
            progress(start + spans.window)
        keep_compared(ours, day, report.of_day(day), min(report.judged_until, _midnight(day + ONE_DAY)))
    return report


def _judged(
    application: Statements, ours: Statements, scope: Scope, start: datetime, spans: Spans
) -> Iterator[Pair]:
    end = start + spans.window
    after, until = start - spans.skew, end + spans.skew
    audited = audited_changes(application, scope, after, until)
    told = (_named(each, scope) for each in told_changes(ours, after, until, scope.rules.sources or None))
    for pair in pair_up(audited, told, scope.passes):
        if not start <= pair.at < end:
            continue
        # An event's clock may be the application's own, a little off.
        around = (pair.at - spans.skew, pair.at, pair.at + spans.skew)
        if pair.kind != "extra" or all(scope.is_audited(pair.table_name, at) for at in around):
            yield pair


def _named(told: ToldChange, scope: Scope) -> ToldChange:
    name = scope.resolve(told.table_name)
    return told if name == told.table_name else replace(told, table_name=name)


def _floor(at: datetime, window: timedelta) -> datetime:
    midnight = _midnight(at.astimezone(UTC).date())
    return midnight + (at - midnight) // window * window


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days(since: datetime, until: datetime, window: timedelta) -> Iterator[tuple[date, Sequence[datetime]]]:
    start = since
    while start + window <= until:
        day = start.date()
        windows = []
        while start.date() == day and start + window <= until:
            windows.append(start)
            start += window
        yield day, windows


def yesterday() -> datetime:
    """Return the beginning of the day before today."""
    return _midnight(today() - ONE_DAY)
