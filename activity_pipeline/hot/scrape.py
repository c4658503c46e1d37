"""What Prometheus is told: this process's durations, and those of all processes out of the database.

Batch work runs in short processes that nobody could scrape; what they recorded is told from the table.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.operations import read_totals
from activity_pipeline.hot.recording import STATEMENT_TIMEOUT
from activity_pipeline.operations import RECORDER, Histogram, Operation, Recorder
from activity_pipeline.operations.exposition import PIPELINE, OperationsCollector

logger = logging.getLogger(__name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(dsn: str, recorder: Recorder = RECORDER) -> bytes:
    """Return what Prometheus is told, in its text format.

    activity_process_operation_… is of this process alone, activity_operation_… of all processes, those
    that have ended included, out of the database. Where that does not answer, the first alone is told.

    Args:
        dsn: The database.
        recorder: Whose durations are those of this process.
    """
    registry = CollectorRegistry()
    registry.register(OperationsCollector(recorder.totals))
    registry.register(_Dropped(recorder))
    found: Mapping[Operation, Histogram] = {}
    try:
        with connect(dsn) as statements:
            statements.execute(STATEMENT_TIMEOUT)
            found = read_totals(statements)
    except Exception as error:  # a scrape of this process tells more than none
        logger.info("durations cannot be read: %s", error)
    else:
        registry.register(OperationsCollector(lambda: found, PIPELINE))
    return generate_latest(registry)


class _Dropped(Collector):
    """Counts the durations that no database took."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def collect(self) -> list[Metric]:
        name, what = "activity_process_dropped_samples", "Durations that no database took"
        return [CounterMetricFamily(name, what, value=self._recorder.dropped)]
