"""`bench legacy`: the same workload with triggers, with both, and after the cutover."""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from dataclasses import dataclass

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.latency import follower
from activity_pipeline.bench.legacy.promises import Promise, Turns, of_all, quantile
from activity_pipeline.bench.legacy.templates import SQL, WITH_TRIGGERS, WITHOUT, make_templates
from activity_pipeline.bench.legacy.turn import (
    OLD_DAYS,
    SIDES,
    Pace,
    Turn,
    take_turn,
    telling,
    wait_for_events,
    work,
)
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.query.data import SQL as FILL
from activity_pipeline.bench.servers import Servers, bench_servers
from activity_pipeline.bench.turns import Say
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.connection import open_hot
from activity_pipeline.hot.days import seal
from activity_pipeline.hot.sizes import partition_bytes

LEFT_OUT = (
    "activity query response (see bench query, which asks the same legacy table)",
    "activity API, page load and memory of the page (see the browser tests)",
)
STEPS = (1, 2, 3, 4, 6, 8, 10)
"""How many times the users that triggers serve."""


ALL_BUT = 0.95
"""Share of the asked-for operations a second that must be done, or the users were not served."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        operations: Of a turn.
        clients: Who work at once, at the most.
        per_s: Operations that are begun a second.
        rounds: Turns of each side.
        past: Operations of the past; their audit rows are there ten times.
    """

    operations: int = 6_000
    clients: int = 4
    per_s: float = 100.0
    rounds: int = 5
    past: int = 5_000

    @property
    def pace(self) -> Pace:
        """How people work in a turn."""
        return Pace(self.operations, self.clients, self.per_s)


QUICK = Plan(operations=800, rounds=3, past=1_500)


def measure_legacy(plan: Plan, say: Say) -> Report:
    """Measure all sides in turns, on databases of their own that lie on one server.

    A turn of ours has the producer, a drain that follows, and the archiving of a day of as many events as
    the turn makes. What Postgres and all processes take is counted until the last event has arrived.

    Args:
        plan: How much is measured.
        say: Told how it goes.
    """
    turns: dict[str, list[Turn]] = defaultdict(list)
    with bench_servers() as servers:
        say("the legacy application and its past")
        past_rows = make_templates(servers, operations=plan.past)
        for number in range(plan.rounds):
            for name in sorted(SIDES, key=list(SIDES).index, reverse=bool(number % 2)):
                turn = take_turn(servers, SIDES[name], plan.pace, seed=10 + number)
                turns[name].append(turn)
                p50_ms = quantile(turn.seconds, 0.5) * 1000
                say(f"round {number + 1}/{plan.rounds}: {name}, p50 {p50_ms:.2f} ms")
        turns = {name: turns[name] for name in SIDES}
        say("users at once")
        users = _users(servers, plan, say)
        say("bytes an event")
        kept = _bytes_an_event(servers, plan, turns)
        machine = describe(postgres_dsn=servers.stack.postgres_dsn, redis_url=servers.stack.redis_url)
    return Report(
        {**machine, "left out": "; ".join(LEFT_OUT)},
        {
            "operations a turn": plan.operations,
            "operations/s": round(plan.per_s),
            "clients": plan.clients,
            "rounds": plan.rounds,
            "audit rows of the past": past_rows,
            "events a turn": turns["queue"][-1].told,
            "events archived meanwhile": 4 * plan.operations,
        },
        [*of_all(turns), *users, *kept],
        {name: [quantile(turn.seconds, 0.5) * 1000 for turn in its] for name, its in turns.items()},
    )


def _users(servers: Servers, plan: Plan, say: Say) -> list[Figure]:
    """Find out how many times the users are served by queue with the p95 that triggers have."""
    with servers.fresh_database(WITH_TRIGGERS) as dsn:
        done = work(dsn, plan.pace, seed=50)
    wanted_s = quantile(sorted(done.seconds), 0.95)
    reached, at_s = 0, 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.fresh_database(WITHOUT) as dsn,
        follower(servers.stack.redis_url, dsn),
        telling(servers, "queue", folder) as teller,
    ):
        work(dsn, Pace(20, plan.clients), seed=1, teller=teller)
        wait_for_events(dsn, teller.told)
        for times in STEPS:
            pace = Pace(plan.operations, times * plan.clients, times * plan.per_s)
            done = work(dsn, pace, seed=50 + times, teller=teller)
            p95_s = quantile(sorted(done.seconds), 0.95)
            say(f"{times} times the users: p95 {p95_s * 1000:.2f} ms, {done.per_s:.0f} operations/s")
            if p95_s > wanted_s or done.per_s < ALL_BUT * times * plan.per_s:
                break
            reached, at_s = times, p95_s
    return [
        Figure("p95 of a write with triggers", wanted_s * 1000, "ms"),
        Figure("p95 by queue with so many times the users", at_s * 1000, "ms"),
        Promise("users at once with that p95, by queue", reached, "x", 10.0, promised="10 x"),
    ]


def _bytes_an_event(servers: Servers, plan: Plan, turns: Turns) -> list[Figure]:
    """Keep a workload's events as a sealed day and as a file, beside the audit rows of the same changes."""
    with tempfile.TemporaryDirectory() as folder, servers.fresh_database(WITHOUT) as dsn:
        with telling(servers, "queue", folder) as teller, follower(servers.stack.redis_url, dsn):
            work(dsn, Pace(plan.operations, plan.clients), seed=90, teller=teller)
            wait_for_events(dsn, teller.told)
        day = today() - OLD_DAYS * ONE_DAY
        with open_hot(dsn) as (statements, bulk):
            for each in (day - ONE_DAY, day):
                statements.execute(FILL["create_day"], {"day": each})
            statements.execute(SQL["old_day"], {"days": OLD_DAYS})
            seal(statements, [day])
            hot_bytes = partition_bytes(statements, [day])[day]
            (archived,) = archive_days(statements, bulk, ArchiveStore(f"{folder}/archive"), [day])
    rows = archived.entry.content.rows
    row_bytes = statistics.median(turn.audit_row_bytes for turn in turns["triggers"])
    # Redundant triggers write the same change once more: all of it goes.
    rows_a_change = statistics.median(turn.audit_rows / turn.told for turn in turns["dual-write"])
    audit = row_bytes * rows_a_change
    hot, cold = hot_bytes / rows, archived.entry.size_bytes / rows
    return [
        Figure("audit_logs with its indexes, a row", row_bytes, "B"),
        Figure("audit rows a change", rows_a_change, "rows"),
        Figure("audit_logs with its indexes, a change", audit, "B"),
        Figure("a sealed hot day with its indexes, an event", hot, "B"),
        Figure("the archive, an event", cold, "B"),
        Promise("audit_logs over hot", audit / hot, "x", 3.0),
        Promise("audit_logs over archive", audit / cold, "x", 30.0),
    ]
