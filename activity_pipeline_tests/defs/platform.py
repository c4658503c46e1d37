"""A pipeline on real servers with a Dagster of its own, whose runs go on in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg

from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import line

TODAY = today()
EDGE = hot_since(TODAY, 30)
COLD = EDGE - 10 * ONE_DAY


@dataclass(frozen=True)
class Platform:
    """A pipeline on real servers, and a Dagster to run it."""

    running: Running
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def run(self, job: str, first: date | None = None, last: date | None = None) -> dg.ExecuteInProcessResult:
        """Run a job, over a range of days where there is one, as a backfill does."""
        tags = {}
        if first is not None:
            tags["dagster/asset_partition_range_start"] = first.isoformat()
            tags["dagster/asset_partition_range_end"] = (last or first).isoformat()
        definition = self.definitions.resolve_job_def(job)
        return definition.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def succeed(
        self, job: str, first: date | None = None, last: date | None = None
    ) -> dg.ExecuteInProcessResult:
        result = self.run(job, first, last)
        assert result.success, [event.message for event in result.all_events if event.is_failure]
        return result

    def send(self, *days: date, each: int = 1, start: int = 0, **fields: Any) -> None:
        """Queue events on each day and drain them by a run."""
        lines = [
            line(start + 1000 * place + number, moment(day, number), **fields)
            for place, day in enumerate(days)
            for number in range(each)
        ]
        self.running.send(*lines, sequence=start)
        self.succeed("drain")

    def rows(self, table: str) -> list[str]:
        """Return a result table's rows as text, in order, wherever their events lived when they were made."""
        made = "select (to_jsonb(t) - 'generation')::text from"
        query = {
            "metrics": f"{made} activity_metrics_daily t order by 1",
            "anomalies": f"{made} activity_anomalies_daily t order by 1",
        }[table]
        return [row[0] for row in self.running.statements.execute(query).fetchall()]


def moment(day: date, number: int) -> datetime:
    """Return an instant of a day, another one for each number."""
    return datetime.combine(day, time(), tzinfo=UTC) + timedelta(seconds=number)


def materialized(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str | None, Mapping[str, Any]]:
    """Return what a run said of each partition of an asset that it made."""
    return {
        event.partition: {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == key
    }


def check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    (evaluation,) = (each for each in result.get_asset_check_evaluations() if each.check_name == name)
    return evaluation


def records(evaluation: dg.AssetCheckEvaluation, name: str) -> list[Mapping[str, Any]]:
    """Return the rows of a table that a check shows."""
    value = evaluation.metadata[name]
    assert isinstance(value, dg.TableMetadataValue)
    return [record.data for record in value.records]


def failure_of(result: dg.ExecuteInProcessResult) -> dg.StepFailureData:
    """Return what the only failed step of a run says."""
    (event,) = (each for each in result.all_events if each.is_step_failure)
    return event.step_failure_data
