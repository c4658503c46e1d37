"""The benchmarks at their smallest: every side runs, and what it did is counted by the bench itself."""

from __future__ import annotations

import dataclasses
import gzip
import math
from pathlib import Path

import pytest

from activity_pipeline.bench.archive.measure import Plan, measure_archive
from activity_pipeline.bench.archive.thin import simulated
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.ingest import measure_ingest
from activity_pipeline.bench.latency import measure_latency
from activity_pipeline.bench.producer import measure_producer
from activity_pipeline.bench.query.measure import Plan as QueryPlan
from activity_pipeline.bench.query.measure import measure_query
from activity_pipeline.bench.turns import take_turns


def said_by(report: Report) -> dict[str, Figure]:
    assert {"cpu", "python", "postgres", "redis-server"} <= set(report.machine)
    assert all(math.isfinite(figure.value) and figure.value > 0 for figure in report.figures)
    return {figure.name: figure for figure in report.figures}


def test_sides_take_turns_and_change_places() -> None:
    order: list[str] = []
    rates = {"a": iter([10.0, 20.0, 90.0]), "b": iter([5.0, 20.0, 30.0])}

    def measure(name: str) -> float:
        order.append(name)
        return next(rates[name])

    sides = take_turns(
        {"a": lambda: measure("a"), "b": lambda: measure("b")}, rounds=3, unit="x", say=lambda _: None
    )
    assert "".join(order) == "abbaab"
    assert (sides["a"].median, sides["b"].median) == (20, 20)
    assert sides["a"].over(sides["b"]) == 2, "the median of the ratios, not the ratio of the medians"


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("f", 1, "x", 1), True),
        (Figure("f", 0.9, "x", 1), False),
        (Figure("f", 0.9, "x", 1, "at most"), True),
        (Figure("f", 1.1, "x", 1, "at most"), False),
        (Figure("f", 1.1, "x"), None),
    ],
)
def test_a_figure_is_held_against_its_target(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


@pytest.mark.slow
def test_ingest() -> None:
    figures = said_by(measure_ingest(events=3000, rounds=1, say=lambda _: None))
    assert figures["peak memory of the drain"].value < 2048
    assert {"drain / raw COPY", "drain / list design", "one in ten twice / none twice"} <= set(figures)


@pytest.mark.slow
def test_producer() -> None:
    figures = said_by(measure_producer(events=1000, rounds=1, say=lambda _: None))
    assert figures["log() p50"].value <= figures["log() p99"].value
    peers = ("INSERT each", "LPUSH each", "QueueHandler to a file", "posthog client")
    assert {f"{peer} / log(), p50" for peer in peers} <= set(figures)


@pytest.mark.slow
def test_latency() -> None:
    figures = said_by(measure_latency(seconds=1.0, say=lambda _: None))
    assert figures["p50"].value <= figures["p95"].value <= figures["longest"].value


@pytest.mark.slow
def test_archive(tmp_path: Path) -> None:
    plan = Plan(rows=1000, large_rows=2000, rounds=1, thin_days=20, cold_days=20, data=tmp_path)
    figures = said_by(measure_archive(plan, say=lambda _: None))
    peers = ("raw COPY", "dlt, connectorx", "dlt, pyarrow", "polars, adbc")
    assert {*(f"export / {peer}" for peer in peers), "whole cycle / raw COPY"} <= set(figures)
    assert {"archived / unsorted", "archived / hot"} <= set(figures)
    assert "peak memory of archive run, a day of 2,000 rows" in figures
    assert {"one user's events, archived", "count by source and day, archived"} <= set(figures)
    assert {"archiving 20 thin days", "opening and count by year, compacted"} <= set(figures)
    said: list[str] = []
    measure_archive(dataclasses.replace(plan, parts=["year"]), say=said.append)
    assert said[0] == f"taking {next(tmp_path.iterdir())}", "a year that is there is not made again"


@pytest.mark.slow
def test_archive_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n".join(line for part in simulated(10) for line in part)))
    plan = Plan(rows=1000, large_rows=1000, rounds=1, parts=["size", "thin"], input=path)
    figures = said_by(measure_archive(plan, say=lambda _: None))
    assert {f"archived / unsorted of {path.name}", f"archived / hot of {path.name}"} <= set(figures)
    assert "archiving 10 thin days" in figures
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_questions_are_answered_while_events_come_in(tmp_path: Path) -> None:
    plan = QueryPlan(tmp_path / "data", hot_rows=6_000, open_rows=1_000, cold_rows=6_000, seconds=0.05)
    for _ in range(2):  # the second time with the data of the first
        said = said_by(measure_query(plan, say=lambda _: None))
        assert said["user, p95"].unit == "ms"
        assert said["HTTP, cached, 2 clients, p95"].target == 5
        assert "cold, one entity's history, p95" in said
