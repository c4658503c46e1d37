"""What Prometheus is told."""

from __future__ import annotations

import prometheus_client
from prometheus_client.parser import text_string_to_metric_families

from activity_pipeline.operations import Histogram, Recorder
from activity_pipeline.operations.exposition import PROCESS, OperationsCollector


def samples(own: Recorder) -> dict[tuple[str, str, str], float]:
    registry = prometheus_client.CollectorRegistry()
    registry.register(OperationsCollector(own.totals))
    text = prometheus_client.generate_latest(registry).decode()
    return {
        (sample.name, sample.labels["operation"], sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_histogram_is_cumulative_and_ends_with_all_calls() -> None:
    own = Recorder()
    own.observe("drain", 0.0005, items=10)
    own.observe("drain", 0.3, items=10, failures=1)
    own.observe("drain", 500_000.0, items=10)
    found = samples(own)
    buckets = {
        float(le): value for (name, _, le), value in found.items() if name == f"{PROCESS}_seconds_bucket"
    }
    assert list(buckets.values()) == sorted(buckets.values())
    shown = [buckets[end] for end in (0.0004642, 0.001, 0.2154, 0.4642, 46420)]
    assert shown == [0, 1, 1, 2, 2]
    assert buckets[float("inf")] == found[f"{PROCESS}_seconds_count", "drain", ""] == 3
    assert found[f"{PROCESS}_seconds_sum", "drain", ""] == 500_000.3005
    assert found[f"{PROCESS}_failures_total", "drain", ""] == 1
    assert found[f"{PROCESS}_items_total", "drain", ""] == 30


def test_registering_asks_for_no_figure() -> None:
    def refuse() -> dict[object, Histogram]:
        raise AssertionError("asked")

    prometheus_client.CollectorRegistry().register(OperationsCollector(refuse))  # type: ignore[arg-type]
