"""All questions about the archive, or some of them, in one report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from activity_pipeline.bench.archive.day import stored_day
from activity_pipeline.bench.archive.export import ExportBench, measure_export, must_have_peers
from activity_pipeline.bench.archive.memory import measure_memory
from activity_pipeline.bench.archive.queries import measure_year
from activity_pipeline.bench.archive.size import measure_size, measure_size_of
from activity_pipeline.bench.archive.thin import measure_thin
from activity_pipeline.bench.archive.year import cold_year
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.servers import Servers, bench_servers
from activity_pipeline.bench.turns import Say

PARTS = ("export", "peers", "size", "memory", "year", "thin")
PEER_PACKAGES = ("dlt", "connectorx", "polars")
THIN_DAYS = 3_200
COLD_DAYS = 365


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        rows: Rows of the day that is exported.
        large_rows: Rows of the day for the memory, and of the year.
        rounds: How often each side is measured; the figures are medians.
        thin_days: Thin days to simulate.
        cold_days: Days of the cold year.
        parts: Of PARTS.
        input: File of events for the sizes and the thin days, beside or instead of simulated ones.
        data: Folder in which the cold year is kept; without one it is made and removed.
    """

    rows: int
    large_rows: int
    rounds: int
    thin_days: int = THIN_DAYS
    cold_days: int = COLD_DAYS
    parts: Collection[str] = PARTS
    input: Path | None = None
    data: Path | None = None


@dataclass
class _Measured:
    figures: list[Figure] = field(default_factory=list)
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, figures: list[Figure], rounds: dict[str, list[float]] | None = None) -> None:
        self.figures += figures
        self.rounds |= rounds or {}


def measure_archive(plan: Plan, *, say: Say) -> Report:
    """Measure what is planned.

    Args:
        plan: What, and how much of it.
        say: Told of each measurement.

    Raises:
        SettingsError: What the archive measures itself against is not installed.
    """
    if "peers" in plan.parts:
        must_have_peers()
    measured = _Measured()
    with bench_servers() as servers:
        if not {"export", "peers", "size"}.isdisjoint(plan.parts):
            _measure_day(servers, plan, measured, say)
        if "memory" in plan.parts:
            measured.add(measure_memory(servers, rows=plan.large_rows, say=say))
        if "year" in plan.parts:
            with cold_year(servers, plan.data, days=plan.cold_days, rows=plan.large_rows, say=say) as year:
                measured.add(*measure_year(year, rounds=plan.rounds, say=say))
        if "thin" in plan.parts:
            measured.add(*measure_thin(servers, plan.input, days=plan.thin_days, rounds=plan.rounds, say=say))
        packages = PEER_PACKAGES if "peers" in plan.parts else ()
        machine = describe(
            postgres_dsn=servers.stack.postgres_dsn, redis_url=servers.stack.redis_url, packages=packages
        )
    sizes = {"rows a day": plan.rows, "rows of the large day and the year": plan.large_rows}
    return Report(machine, {**sizes, "rounds": plan.rounds}, measured.figures, measured.rounds)


def _measure_day(servers: Servers, plan: Plan, measured: _Measured, say: Say) -> None:
    say(f"storing a day of {plan.rows:,} rows")
    with stored_day(servers, plan.rows, sealed=True) as day:
        bench = ExportBench(day)
        if not {"export", "peers"}.isdisjoint(plan.parts):
            peers = "peers" in plan.parts
            measured.add(*measure_export(bench, peers=peers, rounds=plan.rounds, say=say))
        if "size" in plan.parts:
            measured.add(measure_size(bench))
    if "size" in plan.parts and plan.input:
        measured.add(measure_size_of(servers, plan.input, say))
