"""The application of sql/legacy, and our tables beside its own: one database a test is quicker than two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from activity_pipeline.bench.legacy.application import create_application
from activity_pipeline.events.days import day_range, today
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.legacy.catalogue import read_triggers
from activity_pipeline.legacy.cutover import Request, StoredParity, cutover, install, rollback
from activity_pipeline.legacy.inventory import Inventory, Overrides, read_inventory
from activity_pipeline.legacy.plan import Plan, make_plan
from activity_pipeline_tests.conftest import Databases
from activity_pipeline_tests.schema import dump, programs

TEMPLATE = "template_legacy"
OVERRIDES = Overrides(
    functions={"app.history_row": "audit"},
    phases={
        "user-facing": ("app.user*", "app.team*", "app.project*", "app.task*", "app.file*", "app.orders"),
        "system": ("app.jobs", "app.email_queue", "app.webhooks", "app.feature_flags", "app.notifications"),
    },
)
WINDOW = (today() - timedelta(days=2), today())


@dataclass(frozen=True)
class Legacy:
    """An application with triggers, and what tests do with it.

    Attributes:
        dsn: Its database.
        application: A connection to it.
        ours: A connection to the events.
    """

    dsn: str
    application: Statements
    ours: Statements

    def inventory(self, overrides: Overrides = OVERRIDES, *, sample: bool = False) -> Inventory:
        """Read the inventory."""
        return read_inventory(self.dsn, overrides, sample=sample)

    def plan(self) -> Plan:
        """Make a plan."""
        return make_plan(self.inventory())

    def schema(self) -> str:
        """Return the schema without our records, as text."""
        return dump(self.dsn, programs(), "--exclude-schema=activity_legacy")

    def triggers(self) -> set[str]:
        """Return the triggers that are there."""
        return {each.key for each in read_triggers(self.application)}

    def compared(self, *tables: str, days: tuple[date, date] = WINDOW, missing: int = 0) -> None:
        """Note what a comparison would have found."""
        for day in day_range(*days):
            for table in tables:
                self.ours.execute(
                    "insert into activity_legacy_parity values (%s, %s, 10, %s, 0, 0, %s::date + 1)",
                    [day, table, missing, day],
                )

    def ready(self) -> Plan:
        """Return a plan whose every phase may be done."""
        plan = self.plan()
        install(self.application)
        self.compared(*{table.name for phase in plan.phases for table in phase.tables})
        return plan

    def cut(self, plan: Plan, *numbers: int) -> int:
        """Do phases; return the triggers dropped."""
        dropped = 0
        for number in numbers:
            request = Request(plan, number, WINDOW)
            steps = cutover(self.application, request, StoredParity(self.ours))
            dropped += sum(len(step.triggers) for step in steps)
        return dropped

    def back(self, *numbers: int) -> int:
        """Undo phases; return the triggers made again."""
        return sum(len(step.triggers) for n in numbers for step in rollback(self.application, n))


@pytest.fixture(scope="session")
def legacy_template(databases: Databases) -> str:
    with connect(databases.stack.postgres_dsn) as admin:
        admin.execute(f"create database {TEMPLATE}")
    with connect(databases.stack.postgres_dsn_for(TEMPLATE)) as connection:
        migrate(connection)
        create_application(connection)
    return TEMPLATE


@pytest.fixture
def legacy_dsn(databases: Databases, legacy_template: str) -> Iterator[str]:
    """The DSN of a fresh application."""
    yield from databases.lend(databases.create(legacy_template))


@pytest.fixture
def legacy(legacy_dsn: str) -> Iterator[Legacy]:
    with connect(legacy_dsn) as application, connect(legacy_dsn) as ours:
        yield Legacy(legacy_dsn, application, ours)
