"""What the drain tells Dagster, in the words of its assets: directly from a run, over HTTP from elsewhere.

A follower (follow.py) and a replay are no runs of Dagster's. They report the same materializations
through the web server's REST API, and keep what it did not take until it answers again. A report
whose answer was lost is sent once more: counts may come twice, never not at all.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import requests

from activity_pipeline.ingest.report import DrainReport
from activity_pipeline.settings import Settings

logger = logging.getLogger(__name__)
DRAINED = "ingest/drained_events"
HOT = "hot/events"
TIMEOUT_S = 5.0

Figures = Mapping[str, Any]


def drained_figures(report: DrainReport) -> dict[str, Any]:
    """Return what a materialization of `ingest/drained_events` says."""
    rate = report.received / report.seconds if report.seconds else 0.0
    return {
        "received": report.received,
        "from_outbox": report.from_outbox,
        "outboxes_away": report.outboxes_away,
        "inserted": sum(report.inserted.values()),
        "duplicate": sum(report.duplicate.values()),
        "dead_lettered": report.dead_lettered,
        "adopted_from_legacy_list": report.adopted,
        "batches": report.batches,
        "days": len(report.touched_days),
        "duration_s": round(report.seconds, 3),
        "events_per_s": round(rate),
    }


def day_figures(rows: int) -> dict[str, Any]:
    """Return what a materialization of a day of `hot/events` says; nothing where `rows` is 0."""
    if not rows:
        return {}
    return {"new_rows": rows, "dagster/partition_row_count": rows}


def dagster_url(settings: Settings) -> str:
    """Return the root of Dagster's web server."""
    return (settings.dagster_url or f"http://127.0.0.1:{settings.webserver_port}").rstrip("/")


def report_new_rows(settings: Settings, new_rows: Mapping[date, int]) -> bool:
    """Report once how many events days got without a drain; return whether Dagster took it."""
    reporter = DagsterReporter(dagster_url(settings))
    reporter.touch(new_rows)
    return reporter.flush()


class DagsterReporter:
    """Collects what was drained, and reports it when told; threads may share one."""

    def __init__(self, url: str, *, more_figures: Callable[[], Figures] = dict) -> None:
        """Name the web server.

        Args:
            url: Its root.
            more_figures: Asked at each report what else its materialization should say.
        """
        self.url = url
        self._more_figures = more_figures
        self._session = requests.Session()
        self._flushing = threading.Lock()
        self._collecting = threading.Lock()
        self._new_rows: Counter[date] = Counter()
        self._drained: DrainReport | None = None
        self._answers = True

    def add(self, report: DrainReport) -> None:
        """Count what was drained."""
        with self._collecting:
            self._drained = self._drained or DrainReport()
            self._drained.merge(report)
            self._new_rows.update({day: report.inserted[day] for day in report.touched_days})

    def touch(self, new_rows: Mapping[date, int]) -> None:
        """Count days that changed without a drain; 0 where it is not known by how many rows."""
        with self._collecting:
            self._new_rows.update(new_rows)

    def flush(self) -> bool:
        """Report what was collected; return whether Dagster took all of it.

        What it did not take is kept for the next time; the log says once that it does not answer.
        """
        with self._flushing:
            with self._collecting:
                new_rows, self._new_rows = self._new_rows, Counter()
                drained, self._drained = self._drained, None
            try:
                for day in sorted(new_rows):
                    self._post(HOT, day_figures(new_rows[day]), partition=day.isoformat())
                    del new_rows[day]
                if drained is not None:
                    self._post(DRAINED, {**drained_figures(drained), **self._more_figures()})
            except requests.RequestException as error:
                self.touch(new_rows)
                if drained is not None:
                    self._keep(drained)
                if self._answers:
                    logger.warning("Dagster does not take reports, they are kept: %s", error)
                self._answers = False
            else:
                if not self._answers:
                    logger.info("Dagster takes reports again")
                self._answers = True
            return self._answers

    def _keep(self, drained: DrainReport) -> None:
        """Take back what `flush` took out; its days are kept apart."""
        with self._collecting:
            if self._drained is not None:
                drained.merge(self._drained)
            self._drained = drained

    def _post(self, asset: str, figures: Figures, **fields: str) -> None:
        answer = self._session.post(
            f"{self.url}/report_asset_materialization/{asset}",
            json={"metadata": dict(figures), **fields},
            timeout=TIMEOUT_S,
        )
        answer.raise_for_status()


@contextlib.contextmanager
def reporting(reporter: DagsterReporter, interval_s: float) -> Iterator[None]:
    """Report every `interval_s` seconds while the block runs, and once more at its end."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(interval_s):
            reporter.flush()

    thread = threading.Thread(target=report, name="report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        reporter.flush()
