"""How the pipeline is right now, in figures for one screen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from activity_pipeline.events.days import today
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.coverage import Bypass, read_bypasses
from activity_pipeline.hot.days import list_days
from activity_pipeline.hot.judgements import Anomaly, list_anomalies
from activity_pipeline.hot.ledger import Ledger, read_ledger
from activity_pipeline.hot.offsets import Progress, read_offsets, read_progress
from activity_pipeline.hot.operations import read_hours
from activity_pipeline.hot.results import stale_days
from activity_pipeline.ingest.lag import QueueLag, read_lag
from activity_pipeline.operations.pace import LOOKED_AT, Pace, paces
from activity_pipeline.operations.thresholds import parse_thresholds
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.settings import Settings

ANOMALY_DAYS = 7


@dataclass(frozen=True, slots=True)
class Overview:
    """One look.

    Attributes:
        at: When.
        lag: The queue.
        progress: What was drained lately.
        states: Days by state.
        archived_bytes: Size of all Parquet.
        restored: Days that are restored.
        ledger: All counts.
        stale_metrics: Days but today whose metrics are out of date.
        stale_anomalies: Days but today that are to be judged anew.
        anomalies: Those of the last days that nobody has muted or acknowledged.
        paces: How long operations took lately, slow ones first.
        bypasses: Changes of the last day, in tables without audit triggers, that no event tells of.
    """

    at: datetime
    lag: QueueLag
    progress: Progress
    states: Counter[str]
    archived_bytes: int
    restored: int
    ledger: Ledger
    stale_metrics: list[date]
    stale_anomalies: list[date]
    anomalies: list[Anomaly]
    paces: list[Pace]
    bypasses: list[Bypass]

    @property
    def is_well(self) -> bool:
        """Whether nothing calls for a person: the ledger closes, and the queue can be trusted."""
        return self.ledger.residual == 0 and self.lag.is_trusted


def look(settings: Settings, statements: Statements) -> Overview:
    """Look at queue, days, ledger, results and anomalies."""
    with connect_queue(settings.redis_url) as queue:
        lag = read_lag(queue, read_offsets(statements), shards=settings.queue_shards)
    days = list_days(statements)
    now = today()
    anomalies = list_anomalies(statements, now - timedelta(days=ANOMALY_DAYS), now)
    at = datetime.now(UTC)
    thresholds = parse_thresholds(settings.operation_p95_ms)
    return Overview(
        at=at,
        lag=lag,
        progress=read_progress(statements, now),
        states=Counter(day.state for day in days),
        archived_bytes=sum(day.archived_bytes for day in days),
        restored=sum(1 for day in days if day.restored_until),
        ledger=read_ledger(statements),
        stale_metrics=[day for day in stale_days(statements, "metrics") if day < now],
        stale_anomalies=[day for day in stale_days(statements, "anomalies") if day < now],
        anomalies=[each for each in anomalies if not each.muted and not each.acknowledged_by],
        paces=paces(read_hours(statements, at - LOOKED_AT), thresholds, now=at),
        bypasses=read_bypasses(statements, datetime.now(UTC) - timedelta(days=1)),
    )
