"""The whole way off the triggers and back, on an application that goes on working meanwhile."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.bench.legacy.service import OutboxTeller
from activity_pipeline.bench.legacy.workload import populate, run_workload
from activity_pipeline.errors import ParityError
from activity_pipeline.events.days import ONE_DAY, span_of, today
from activity_pipeline.events.model import Rules
from activity_pipeline.hot.connection import open_hot
from activity_pipeline.hot.coverage import read_bypasses
from activity_pipeline.hot.legacy import EVERYTHING, read_parity
from activity_pipeline.legacy.compare import Spans
from activity_pipeline.legacy.cutover import (
    Patience,
    Request,
    StoredParity,
    cutover,
    install,
    rollback,
    uninstall,
)
from activity_pipeline.legacy.history import import_day, run
from activity_pipeline.legacy.inventory import read_inventory
from activity_pipeline.legacy.mapping import Mapping, check_mapping, propose_mapping
from activity_pipeline.legacy.mapping.source import reading
from activity_pipeline.legacy.plan import Plan, read_plan, write_plan
from activity_pipeline.legacy.sentinel import count_by_triggers, look, watched_tables
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import kill, start
from activity_pipeline_tests.faults.cutting import to_and_fro
from activity_pipeline_tests.integration.archive.erasing import sound
from activity_pipeline_tests.integration.legacy.comparing import RULES, SAID, compared, kinds
from activity_pipeline_tests.integration.legacy.conftest import WINDOW, Legacy

PATIENCE = Patience(timedelta(seconds=2), 50, timedelta(milliseconds=100))
HISTORY = (today() - 41 * ONE_DAY, today() - 40 * ONE_DAY)
AT_ONCE = timedelta(seconds=-60)
Interrupt = Callable[[Plan, int], None]


@contextlib.contextmanager
def load(dsn: str, clients: int) -> Iterator[None]:
    """People who go on working, and whose service calls tell of it."""
    stop, failed = threading.Event(), list[BaseException]()

    def work() -> None:
        seed = 100
        try:
            while not stop.is_set():
                run_workload(dsn, operations=20, clients=clients, seed=seed, teller=OutboxTeller())
                seed += 1
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failed, failed


def with_history(legacy: Legacy) -> None:
    """Fill the application; its audit rows of that are from two days of long ago."""
    populate(legacy.application)
    legacy.application.execute(
        "update app.audit_logs set created_at = %s::timestamptz + id * interval '1 ms' "
        "- (id %% 2) * interval '1 day'",
        [span_of([HISTORY[1]])[0]],
    )


def bring_slowly(dsn: str, ours_dsn: str, root: str, mapping: Mapping) -> None:
    """Import the history in batches of a few rows; for a process that is killed."""
    run.ROWS_PER_BATCH = 20
    with open_hot(ours_dsn) as (statements, bulk):
        for day in HISTORY:
            import_day(dsn, mapping, day, statements, bulk, ArchiveStore(root), rules=Rules())


def rehearse(
    legacy: Legacy,
    running: Running,
    folder: Path,
    *,
    operations: int,
    clients: int,
    interrupt: Interrupt = lambda plan, number: None,
    interrupt_import: Callable[[Mapping], None] = lambda mapping: None,
) -> None:
    application, ours = legacy.application, running.statements
    with_history(legacy)
    original = legacy.schema()
    assert len(read_inventory(legacy.dsn, SAID).audits) >= 108
    with reading(legacy.dsn) as source:
        mapping = propose_mapping(source, "app.audit_logs")
        checked = check_mapping(source, mapping, rows=500, rules=Rules())
    assert (checked.events, checked.refused) == (checked.rows, {})
    write_plan(legacy.plan(), folder)
    plan = read_plan(folder)
    install(application)

    def cut(number: int) -> int:
        request = Request(plan, number, WINDOW, allow_idle=True)
        steps = list(cutover(application, request, StoredParity(ours), PATIENCE))
        return sum(len(step.triggers) for step in steps)

    # Side by side, until nothing is missing, extra or different; before that no gate opens.
    with pytest.raises(ParityError, match="was not compared"):
        cut(1)
    done = run_workload(legacy.dsn, operations=operations, clients=clients, teller=OutboxTeller())
    for remark in ("savepoint", "replicated", "failing, refused", "undone, rolled back"):
        assert done.counts[remark]
    report = compared(legacy, running)
    assert kinds(report) == (0, 0, 0), report.samples
    told = application.execute(
        "select count(*) from app.audit_logs where (category is null or category <> all (%s)) "
        "and created_at > now() - interval '7 days'",
        [list(RULES.ignored["category"])],
    ).fetchone()
    assert told == (report.totals["matched"],)
    assert len(read_parity(ours, *WINDOW)[EVERYTHING].days) == 3, "days without a change were compared, too"

    # Four cutovers, while people work.
    before_second = ""
    with load(legacy.dsn, clients):
        for phase in plan.phases:
            if phase.number == 2:
                before_second = legacy.schema()
            interrupt(plan, phase.number)
            cut(phase.number)
            planned = {each.trigger.key for table in phase.tables for each in table.triggers}
            assert planned
            assert not planned & legacy.triggers()
    after_all = legacy.schema()
    report = compared(legacy, running, spans=Spans(skew=timedelta(seconds=1)))
    assert kinds(report) == (0, 0, 0), report.samples

    # The sentinel sees what goes past the service calls, and nothing else.
    count_by_triggers(application, watched_tables(application), lock_timeout=timedelta(seconds=10))
    look(application, ours, grace=AT_ONCE)
    run_workload(legacy.dsn, operations=operations, clients=clients, seed=1, teller=OutboxTeller())
    raw = "update app.users set name = 'raw' where id in (select id from app.users order by id limit 3)"
    application.execute(raw)
    running.drain(outbox_dsn=legacy.dsn)
    look(application, ours, grace=AT_ONCE)
    since = datetime.now(UTC) - timedelta(days=1)
    assert [(each.table_name, each.rows) for each in read_bypasses(ours, since)] == [("app.users", 3)]

    # Back from the second phase alone, and forward again.
    with load(legacy.dsn, clients):
        back = sum(len(step.triggers) for step in rollback(application, 2, PATIENCE))
        assert back == plan.phase(2).triggers
        interrupt(plan, 2)
        list(rollback(application, 2, PATIENCE))
        assert cut(2) == back
    assert legacy.schema() != after_all, "what counts is still there for tables of other phases"

    # What was before is brought into the archive, and proven.
    interrupt_import(mapping)
    for day in HISTORY:
        brought = import_day(legacy.dsn, mapping, day, ours, running.bulk, running.store, rules=Rules())
        count = application.execute(
            "select count(*) from app.audit_logs where created_at >= %s and created_at < %s", span_of([day])
        ).fetchone()
        assert count == (brought.rows,)
        assert brought.rows == brought.archived_events > 0
    sound(running)

    # Back from everything.
    for number in (4, 3, 2):
        list(rollback(application, number, PATIENCE))
    assert legacy.schema() == before_second
    list(rollback(application, 1, PATIENCE))
    uninstall(application)
    assert legacy.schema() == original


def test_the_whole_way_and_back(legacy: Legacy, running: Running, tmp_path: Path) -> None:
    rehearse(legacy, running, tmp_path / "plan", operations=120, clients=2)


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2))
def test_the_whole_way_and_back_under_kills(
    legacy: Legacy, running: Running, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    ours_dsn = running.settings.postgres_dsn

    def interrupt(plan: Plan, number: int) -> None:
        """Kill cutovers and rollbacks of the phase, wherever they are."""
        for _ in range(3):
            die = partial(to_and_fro, allow_idle=True)
            process = start(die, legacy.dsn, plan, number, ours_dsn)
            time.sleep(chance.uniform(0.1, 1.5))
            kill(process)  # What it has under way is over before the next one reads anything.

    def interrupt_import(mapping: Mapping) -> None:
        """Kill imports, wherever they are."""
        for _ in range(6):
            process = start(bring_slowly, legacy.dsn, ours_dsn, running.store.url, mapping)
            time.sleep(chance.uniform(0.1, 1.0))
            kill(process)

    rehearse(
        legacy,
        running,
        tmp_path / "plan",
        operations=1000,
        clients=4,
        interrupt=interrupt,
        interrupt_import=interrupt_import,
    )
