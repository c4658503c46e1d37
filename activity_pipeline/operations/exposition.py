"""Durations for Prometheus, made from the histograms at each scrape.

An application that has prometheus-client shows its own producer's flushes beside its other metrics:

    prometheus_client.REGISTRY.register(OperationsCollector())
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from activity_pipeline.operations.model import BUCKETS, PER_DECADE, Histogram, Operation, end_of
from activity_pipeline.operations.recorder import RECORDER

PROCESS: Final = "activity_process_operation"
PIPELINE: Final = "activity_operation"
SHOWN: Final = range(PER_DECADE, BUCKETS, PER_DECADE // 3)
"""The buckets whose ends are shown: three a decade, from 0.1 ms to 28 h."""

Read = Callable[[], Mapping[Operation, Histogram]]


class OperationsCollector(Collector):
    """Shows histograms that somebody else keeps.

    <name>_seconds     histogram by operation
    <name>_failures    counter by operation
    <name>_items       counter by operation: events
    """

    def __init__(self, read: Read = RECORDER.totals, name: str = PROCESS) -> None:
        """Say what is shown.

        Args:
            read: Returns the histograms, which never shrink; by default those of this process.
            name: What the metrics' names begin with.
        """
        self._read = read
        self._name = name

    def describe(self) -> Iterable[Metric]:
        """Return the families without asking for any figure: a registry does so at start."""
        return self._families()

    def collect(self) -> Iterable[Metric]:
        """Ask for the figures."""
        durations, failures, items = families = self._families()
        for operation, histogram in sorted(self._read().items()):
            durations.add_metric([operation], _cumulative(histogram), histogram.seconds)
            failures.add_metric([operation], histogram.failures)
            items.add_metric([operation], histogram.items)
        return families

    def _families(self) -> tuple[HistogramMetricFamily, CounterMetricFamily, CounterMetricFamily]:
        by = ["operation"]
        return (
            HistogramMetricFamily(f"{self._name}_seconds", "Duration of operations", labels=by),
            CounterMetricFamily(f"{self._name}_failures", "Operations that failed", labels=by),
            CounterMetricFamily(f"{self._name}_items", "Events that operations handled", labels=by),
        )


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    running = list(accumulate(histogram.buckets))
    return [
        *((f"{end_of(bucket):.4g}", float(running[bucket])) for bucket in SHOWN[:-1]),
        ("+Inf", float(histogram.count)),
    ]
