"""The demo: the whole way of an event on embedded servers, from `log()` to a named anomaly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.archive.chain.signing import load_public
from activity_pipeline.archive.chain.verify import Verification, verify
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ActivityError
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.connection import connect, connect_bulk
from activity_pipeline.hot.days import Day, list_days
from activity_pipeline.hot.ledger import Ledger, read_ledger
from activity_pipeline.hot.results import read_table
from activity_pipeline.hot.sizes import stored_bytes
from activity_pipeline.local.services import dagster_environment, services
from activity_pipeline.local.shop import simulate
from activity_pipeline.local.shop_incidents import Report, planted_incidents, score
from activity_pipeline.producer import ActivityLogger
from activity_pipeline.producer.importing import import_file, rebase_weeks
from activity_pipeline.settings import Settings

SEED = 20
"""Seed of the simulated shop: the same events for everybody who asks on the same day."""

FLUSH_TIMEOUT_S = 120.0
LANES = (("archive", "retire", "compact", "seal"), ("metrics", "anomalies"))
"""What runs side by side after the drain; see defs/execute.py."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What to show.

    Attributes:
        input: A file of events; none simulates a shop.
        rebase: Move the file's events by whole weeks into the present.
        days: Days of the simulated shop.
        events: Events of the simulated shop.
        keep: Leave everything in the state folder of the settings, to look at.
    """

    input: Path | None = None
    rebase: bool = False
    days: int = 60
    events: int = 500_000
    keep: bool = False


@dataclass(slots=True)
class DemoResult:
    """What happened.

    Attributes:
        produced: Events handed to the logger.
        ledger: All that is in the database at the end.
        before: The same at the beginning: a kept state folder may have held events.
        metrics_rows: Rows of activity_metrics_daily.
        anomalies: Rows of activity_anomalies_daily.
        incidents: Which of the simulated shop's incidents were found.
        days: Every day that is known.
        hot_bytes: Size of the hot and late tables with their indexes.
        verified: What the archive proved by its files alone.
        seconds: Duration of each step.
        state: The folder that everything lies in; gone unless kept.
    """

    produced: int
    ledger: Ledger
    before: Ledger
    metrics_rows: int
    anomalies: list[dict[str, Any]]
    incidents: Report | None
    days: list[Day]
    hot_bytes: int
    verified: Verification
    seconds: dict[str, float]
    state: Path

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `demo --json` prints."""
        ledger, before = self.ledger, self.before
        return {
            "produced": self.produced,
            "inserted": ledger.inserted - before.inserted,
            "duplicate": ledger.duplicate - before.duplicate,
            "dead_lettered": ledger.dead_lettered - before.dead_lettered,
            "hot": ledger.hot,
            "late": ledger.late,
            "archived": ledger.archived,
            "erased": ledger.erased,
            "residual": ledger.residual,
            "hot_days": ledger.hot_days,
            "archived_days": ledger.archived_days,
            "verified_rows": self.verified.rows,
            "faults": len(self.verified.faults),
            "metrics_rows": self.metrics_rows,
            "anomalies": self.anomalies,
            "seconds": self.seconds,
        }


@dataclass(slots=True)
class _Clock:
    """Durations of the steps, told as they end."""

    say: Say
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.say(f"{name} …")
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)


def run_demo(settings: Settings, request: DemoRequest, say: Say) -> DemoResult:
    """Run the demo on embedded servers, never on those that the settings name.

    Raises:
        ActivityError: A step failed; the message ends with what it said.
        ImportFileError: The input cannot be read to its end.
    """
    if request.keep:
        return _run(settings, request, say)
    with tempfile.TemporaryDirectory(prefix="activity-demo-") as folder:
        return _run(msgspec.structs.replace(settings, state_dir=folder), request, say)


def _run(settings: Settings, request: DemoRequest, say: Say) -> DemoResult:
    clock = _Clock(say)
    own = msgspec.structs.replace(
        settings,
        postgres_dsn="",
        dagster_postgres_url="",
        redis_url="",
        archive_url="",
        archive_signing_key="",
        spool_dir=str(settings.state_path / "spool"),
        drain_budget_s=3600.0,
        drain_idle_s=0.0,
    )
    with clock.step("servers"):
        context = services(own, with_dagster=True)
        running = context.__enter__()
    try:
        with connect(running.postgres_dsn) as statements:
            before = read_ledger(statements)
        until = datetime.now(UTC)
        with clock.step("produce"):
            produced = _produce(running, request, until)
        with clock.step("drain"):
            _execute(running, [("drain",)], clock)
        with clock.step("archive and compute"):
            _execute(running, list(LANES), clock)
        store = ArchiveStore(running.archive_root)
        with clock.step("views"):
            publish_views(store)
        with clock.step("verify"):
            public = load_public(f"{settings.local_key_path}.pub")
            verified = verify(store, deep=True, public=[public])
        return _gather(running, request, until, produced, before, verified, clock)
    finally:
        context.__exit__(None, None, None)


def _produce(settings: Settings, request: DemoRequest, until: datetime) -> int:
    with ActivityLogger(settings.redis_url, source="demo", spool_dir=settings.spool_path) as logger:
        if request.input is None:
            produced = 0
            for lines in simulate(days=request.days, events=request.events, seed=SEED, until=until):
                logger.log_lines(lines)
                produced += len(lines)
        else:
            weeks = rebase_weeks(request.input) if request.rebase else None
            produced = import_file(request.input, logger, rebase=weeks).lines
        if not logger.flush(FLUSH_TIMEOUT_S):
            raise ActivityError(f"Redis did not take all events within {FLUSH_TIMEOUT_S:.0f} s")
    return produced


def _execute(settings: Settings, lanes: list[tuple[str, ...]], clock: _Clock) -> None:
    """Run Dagster jobs, each lane in a process of its own, and note their durations."""
    environment = {**os.environ, **dagster_environment(settings)}
    log = settings.state_path / "log" / "demo.log"
    with log.open("ab") as stderr:
        processes = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "activity_pipeline.defs.execute",
                    "activity_pipeline.definitions",
                    *lane,
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
            for lane in lanes
        ]
        try:
            outputs = [process.communicate()[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    for process, output in zip(processes, outputs, strict=True):
        for line in output.splitlines():
            step = json.loads(line)
            clock.seconds[step["step"]] = step["seconds"]
        if process.returncode:
            tail = log.read_text(errors="replace")[-2000:]
            raise ActivityError(f"a Dagster run failed, see {log}:\n{tail}")


def _gather(
    settings: Settings,
    request: DemoRequest,
    until: datetime,
    produced: int,
    before: Ledger,
    verified: Verification,
    clock: _Clock,
) -> DemoResult:
    with connect(settings.postgres_dsn) as statements, connect_bulk(settings.postgres_dsn) as bulk:
        days = list_days(statements)
        first, last = (days[0].day, max(days[-1].day, today())) if days else (today(), today())
        found = read_table(bulk, "activity_anomalies_daily", first, last + ONE_DAY)
        metrics = read_table(bulk, "activity_metrics_daily", first, last)
        incidents = None
        if request.input is None:
            planted = planted_incidents(days=request.days, seed=SEED, until=until)
            incidents = score(planted, _frame(found))
        return DemoResult(
            produced=produced,
            ledger=read_ledger(statements),
            before=before,
            metrics_rows=len(metrics),
            anomalies=[_plain(row) for row in found.to_pylist()],
            incidents=incidents,
            days=days,
            hot_bytes=stored_bytes(statements),
            verified=verified,
            seconds=clock.seconds,
            state=settings.state_path,
        )


def _frame(table: Any) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table of columns makes a frame, not a series
    return frame


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}
