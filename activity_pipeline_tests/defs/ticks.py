"""The automation sensor's ticks, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests
from dagster._core.events import StepMaterializationData
from dagster._core.test_utils import create_run_for_test, freeze_time

from activity_pipeline.definitions import activity_pipeline
from activity_pipeline.defs.partitions import ANOMALIES, ARCHIVED, METRICS, RETIRED

NOON = datetime(2026, 3, 31, 12, 1, tzinfo=UTC)
TICK = timedelta(seconds=15)
BLOCKING = {"content_equals", "chain_intact"}


class Ticks:
    """The automation sensor's ticks on a clock of the test's own.

    Attributes:
        checks: Names of the checks that the last tick asked for.
        requests: The runs that it asked for.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.definitions = activity_pipeline()
        self.instance = instance
        self.now = NOON
        self.cursor: AssetDaemonCursor | None = None
        self.checks: set[str] = set()
        self.requests: list[dg.RunRequest] = []

    def tick(self, after: timedelta = TICK) -> dict[str, set[str | None]]:
        """Let time pass, evaluate, and return the partitions asked for, by asset."""
        self.now += after
        with freeze_time(self.now):
            result = dg.evaluate_automation_conditions(
                self.definitions, self.instance, evaluation_time=self.now, cursor=self.cursor
            )
        self.cursor = result.cursor
        self.checks = {
            each.key.name
            for each in result.results
            if isinstance(each.key, dg.AssetCheckKey) and not each.true_subset.is_empty
        }
        self.requests = list(
            build_run_requests(
                [each.true_subset for each in result.results if not each.true_subset.is_empty],
                self.definitions.resolve_asset_graph(),
                run_tags=None,
                emit_backfills=True,
            )
        )
        keys = (ARCHIVED, RETIRED, METRICS, ANOMALIES)
        asked = {key.to_user_string(): set(result.get_requested_partitions(key)) for key in keys}
        return {name: partitions for name, partitions in asked.items() if partitions}

    def made(self, key: dg.AssetKey, *days: date, by: dg.DagsterRun | None = None) -> None:
        """Report partitions as materialized, by a run of their own, a moment after the last tick."""
        self.now += timedelta(seconds=1)
        with freeze_time(self.now):
            run = by or create_run_for_test(self.instance, status=dg.DagsterRunStatus.SUCCESS)
            for day in days:
                materialization = dg.AssetMaterialization(key, partition=day.isoformat())
                self._log(run, "ASSET_MATERIALIZATION", StepMaterializationData(materialization, []))

    def checked(self, passed: Mapping[str, bool]) -> None:
        """Report what checks of the archive found in its newest materialization."""
        self.now += timedelta(seconds=1)
        (record,) = self.instance.fetch_materializations(ARCHIVED, limit=1).records
        target = Target(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)
        with freeze_time(self.now):
            run = create_run_for_test(self.instance, status=dg.DagsterRunStatus.SUCCESS)
            for name, has_passed in passed.items():
                evaluation = dg.AssetCheckEvaluation(
                    asset_key=ARCHIVED,
                    check_name=name,
                    passed=has_passed,
                    blocking=True,
                    target_materialization_data=target,
                )
                self._log(run, "ASSET_CHECK_EVALUATION", evaluation)

    def _log(
        self, run: dg.DagsterRun, what: str, data: StepMaterializationData | dg.AssetCheckEvaluation
    ) -> None:
        event = dg.DagsterEvent(event_type_value=what, job_name=run.job_name, event_specific_data=data)
        self.instance.report_dagster_event(event, run.run_id, timestamp=self.now.timestamp())

    def run(
        self,
        job: str,
        day: date | None = None,
        status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    ) -> dg.DagsterRun:
        """Begin a run, over a day where there is one, that is, or stays, in a status."""
        with freeze_time(self.now):
            run = self.instance.create_run_for_job(
                self.definitions.resolve_job_def(job),
                tags={"dagster/partition": day.isoformat()} if day else None,
            )
            self.instance.report_engine_event("started", run)
        if status is dg.DagsterRunStatus.FAILURE:
            self.fail(run)
        return run

    def fail(self, run: dg.DagsterRun) -> None:
        """End a run as failed."""
        with freeze_time(self.now):
            self.instance.report_run_failed(run)

    def answer(self, asked: dict[str, set[str | None]]) -> None:
        """Do what was asked for, and find the archive in order where it was to be checked."""
        if asked_checks := self.checks & BLOCKING:
            self.checked(dict.fromkeys(asked_checks, True))
        for name, partitions in asked.items():
            key = dg.AssetKey(name.split("/"))
            if None in partitions:
                with freeze_time(self.now):
                    self.instance.report_runless_asset_event(dg.AssetMaterialization(key))
            else:
                self.made(key, *(date.fromisoformat(str(day)) for day in partitions))


def on(*days: date) -> set[str]:
    return {day.isoformat() for day in days}
