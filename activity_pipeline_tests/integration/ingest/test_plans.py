"""The work of a batch does not grow with what is hot already: its queries look rows up."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from activity_pipeline.events.days import ONE_DAY, span_of, today
from activity_pipeline.hot import content, days, reader, writer
from activity_pipeline_tests.conftest import Running

HOT = [today() - n * ONE_DAY for n in range(4)]


@pytest.fixture
def full(running: Running) -> Running:
    """Four hot days of 5,000 events, two of them frozen."""
    for day in HOT:
        running.statements.execute("select activity_create_day(%s)", [day])
        running.statements.execute(
            "insert into activity_logs_current (id, timestamp, source, action) "
            "select gen_random_uuid(), %s::date::timestamp at time zone 'UTC' + n * interval '1 s', 's', 'a' "
            "from generate_series(1, 5000) n",
            [day],
        )
    days.freeze(running.statements, HOT[2:])
    running.statements.execute("analyze")
    return running


def explain(running: Running, query: str, parameters: Mapping[str, object] | None = None) -> list[str]:
    """Return the lines of a plan that were run."""
    rows = running.statements.execute(f"explain (analyze, costs off) {query}", parameters)
    return [line for (line,) in rows if "never executed" not in line]


@pytest.mark.parametrize("query", ["place_current", "place_late"])
def test_placing_rows_looks_them_up(full: Running, query: str) -> None:
    with full.statements.transaction():
        full.statements.execute(writer._SQL["create_staging"])
        full.statements.execute(
            "insert into staged (ordinal, producer, late, id, timestamp, source, action, status) "
            "select n, 0, %s, gen_random_uuid(), now() - n * interval '10 ms', 's', 'a', 'success' "
            "from generate_series(1, 5000) n",
            [query == "place_late"],
        )
        plan = explain(full, writer._SQL[query])
    assert not [line for line in plan if "Seq Scan on activity_logs_current" in line]


def test_hashing_and_reading_days_touches_those_days_alone(full: Running) -> None:
    wanted = HOT[2]
    first_at, end_at = span_of([wanted])
    about = {"first_at": first_at, "end_at": end_at}
    plans = [explain(full, content._SQL[query], about) for query in ("held_current", "versions_current")]
    with full.statements.transaction():
        for name, value in (("days", wanted), ("first_at", first_at), ("end_at", end_at)):
            full.statements.execute("select set_config(%s, %s, true)", [f"activity.{name}", str(value)])
        plans.append(explain(full, reader._SQL["frozen_current"]))
    for plan in plans:
        scanned = {
            line.split("activity_logs_current_")[1][:8] for line in plan if "activity_logs_current_2" in line
        }
        assert scanned == {f"{wanted:%Y%m%d}"}


def test_the_hash_of_an_event_is_inlined(full: Running) -> None:
    about = dict(zip(("first_at", "end_at"), span_of([HOT[2]]), strict=True))
    rows = full.statements.execute(f"explain (verbose) {content._SQL['held_current']}", about)
    plan = "\n".join(line for (line,) in rows)
    assert "sha256(" in plan
    assert "activity_event_hash" not in plan
