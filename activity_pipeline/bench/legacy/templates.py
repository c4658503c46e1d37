"""The databases that turns are made on: with audit triggers and rows of the past, and without triggers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg import sql

from activity_pipeline.bench.legacy.application import create_application
from activity_pipeline.bench.legacy.workload import run_workload
from activity_pipeline.bench.servers import Servers
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.cutover import install
from activity_pipeline.legacy.cutover.change import Patience, drop_phase
from activity_pipeline.legacy.inventory import Overrides, read_inventory
from activity_pipeline.legacy.inventory.overrides import CompareRules
from activity_pipeline.legacy.plan import make_plan

SQL = load_queries(__file__)
WITH_TRIGGERS, WITHOUT = "bench_legacy", "bench_after"
OVERRIDES = Overrides(
    functions={"app.history_row": "audit"},
    compare=CompareRules(ignored={"category": ("tracking", "history", "mail")}),
)
PAST = 9
"""How many times the rows of the first operations are there once more."""


def make_templates(servers: Servers, *, operations: int) -> int:
    """Make both databases; return how many audit rows of the past each has.

    Args:
        servers: Where.
        operations: Of the past; their audit rows are there several times.
    """
    stack = servers.stack
    with connect(stack.postgres_dsn) as admin:
        admin.execute(sql.SQL(SQL["create"]).format(name=sql.Identifier(WITH_TRIGGERS)))
    dsn = stack.postgres_dsn_for(WITH_TRIGGERS)
    with connect(dsn) as connection:
        migrate(connection)
        create_application(connection)
    run_workload(dsn, operations=operations, seed=1)
    with connect(dsn) as connection:
        connection.execute(SQL["multiply"], {"times": PAST})
        connection.execute(SQL["age"])
        connection.execute(SQL["settle"])
        row = connection.execute(SQL["audit_size"], {"since": datetime.now(UTC)}).fetchone()
    with connect(stack.postgres_dsn) as admin:
        copy = sql.SQL(SQL["copy"])
        admin.execute(copy.format(name=sql.Identifier(WITHOUT), template=sql.Identifier(WITH_TRIGGERS)))
    after = stack.postgres_dsn_for(WITHOUT)
    plan = make_plan(read_inventory(after, OVERRIDES))
    with connect(after) as connection:
        install(connection)
        for phase in plan.phases:
            list(drop_phase(connection, phase, {}, Patience(timedelta(seconds=10))))
    return int(row[1]) if row else 0
