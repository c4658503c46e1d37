"""The API's own figures, for Prometheus."""

from __future__ import annotations

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


def exposition(shared: Path | None) -> bytes:
    """Return the figures as Prometheus reads them.

    Args:
        shared: Folder in which several workers keep theirs; None for those of this process.
    """
    if shared is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(shared))  # type: ignore[no-untyped-call]
    return generate_latest(registry)
