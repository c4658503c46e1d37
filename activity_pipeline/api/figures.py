"""Figures for Prometheus: the API's own, and how long the operations of the whole pipeline take.

Batch work runs in short processes that nobody could scrape; what they recorded is told out of the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from activity_pipeline.operations import Histogram as Durations
from activity_pipeline.operations import Operation
from activity_pipeline.operations.exposition import PIPELINE, DroppedCollector, OperationsCollector

MEDIA_TYPE = CONTENT_TYPE_LATEST
CLIENT_LEFT = "499"
"""Where a status belongs, for a client that did not wait for it; as nginx writes it."""

REQUESTS = Counter(
    "activity_api_requests_total", "Requests, by route and outcome", ["method", "route", "status"]
)
SECONDS = Histogram(
    "activity_api_request_seconds",
    "From the head of a request to the end of its answer, in seconds",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
EVENTS = Counter("activity_api_events_total", "Events that came in, by verdict", ["verdict"])
ANSWERS = Counter(
    "activity_api_answers_total",
    "Answers about activities: hit, miss, or none without a cache",
    ["cache"],
)
UNDER_WAY = Gauge("activity_api_requests_under_way", "Requests under way", multiprocess_mode="livesum")


def exposition(shared: Path | None, totals: Mapping[Operation, Durations]) -> bytes:
    """Return the figures as Prometheus reads them.

    activity_operation_… is of all processes, those that have ended included, and
    activity_process_operation_… of this one alone: with several workers each scrape would meet another.

    Args:
        shared: Folder in which several workers keep theirs; None for those of this process.
        totals: What was ever recorded in the database; empty where it does not answer.
    """
    registry = CollectorRegistry()
    if totals:
        registry.register(OperationsCollector(lambda: totals, PIPELINE))
    if shared is None:
        registry.register(OperationsCollector())
        registry.register(DroppedCollector())
        return generate_latest(REGISTRY) + generate_latest(registry)
    MultiProcessCollector(registry, path=str(shared))  # type: ignore[no-untyped-call]
    return generate_latest(registry)
