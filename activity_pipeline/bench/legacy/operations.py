"""What people and machines do in the application of sql/legacy. Each operation is a transaction."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

SQL = load_queries(__file__)


class UndoneError(Exception):
    """A person changes their mind."""


@dataclass(frozen=True, slots=True)
class World:
    """Who and what there is.

    Attributes:
        users: Ids of people.
        products: Ids and prices.
        tasks: Ids.
    """

    users: Sequence[UUID]
    products: Sequence[tuple[int, Decimal]]
    tasks: Sequence[int]


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that an operation changed.

    Attributes:
        txid: The transaction.
        table_name: schema.table.
        operation: INSERT, UPDATE or DELETE.
        old: The row before, as JSON.
        new: The row after it, as JSON.
    """

    txid: int
    table_name: str
    operation: str
    old: str | None
    new: str | None


@dataclass(slots=True)
class Call:
    """One operation: a transaction that begins, and what it is about.

    Attributes:
        connection: In the transaction.
        chance: Of this operation alone.
        world: Who and what there is.
        values: What its statements are given.
        is_told: Whether rows are asked for what they were and are, for the service call.
        changes: Rows that were changed, in order; empty unless they are told.
    """

    connection: Statements
    chance: random.Random
    world: World
    values: dict[str, Any]
    is_told: bool = False
    changes: list[Changed] = field(default_factory=list)

    def run(self, *names: str, **more: Any) -> Any:
        """Run named statements that change rows; return the first column of the last one's row."""
        self.values |= more
        rows: list[tuple[Any, ...]] = []
        for name in names:
            cursor = self.connection.execute(self._text(name), self.values)
            rows = cursor.fetchall() if cursor.description else []
            if self.is_told:
                self.changes += [Changed(*row[-5:]) for row in rows]
        return rows[0][0] if rows else None

    def _text(self, name: str) -> LiteralString:
        if not self.is_told:
            return SQL[name]
        if lock := SQL.get(f"lock_{name}"):
            self.connection.execute(lock, self.values)
        if f"told_{name}" in SQL:
            return SQL[f"told_{name}"]
        # In the statement itself: no further round trip, and nothing is read twice.
        return SQL[name] + (", " if "returning" in SQL[name] else " returning ") + SQL["told"]

    def look(self, *names: str) -> None:
        """Run named statements that change nothing, or nothing that is told."""
        for name in names:
            self.connection.execute(SQL[name], self.values)

    def tell_trigger(self, name: str) -> None:
        """Note the row that a trigger has written: a service call has to read it back."""
        if self.is_told:
            self.changes += [Changed(*row) for row in self.connection.execute(SQL[name], self.values)]


def order(call: Call) -> None:
    """Somebody buys something."""
    lines = call.chance.sample(call.world.products, k=call.chance.randint(1, 4))
    total = sum(price for _, price in lines)
    call.values["order_id"] = call.run("place_order", total=total)
    for product_id, price in sorted(lines):
        call.run("add_item", "take_stock", product_id=product_id, price=price, quantity=1)
    call.run("pay", "mark_paid", reference=f"ref-{call.chance.randrange(10**9)}")
    call.tell_trigger("queued_mail")


def profile(call: Call) -> None:
    """Somebody edits who they are."""
    call.run("edit_user", "save_profile", name=f"Name {call.chance.randrange(10**6)}")


def work(call: Call) -> None:
    """Somebody moves a task, and says so."""
    call.run("edit_task", "comment", state=call.chance.choice(["doing", "review", "done"]))


def upload(call: Call) -> None:
    """Somebody uploads a file."""
    name, size_bytes = f"file-{call.chance.randrange(10**9)}", call.chance.randrange(10**7)
    call.values["file_id"] = call.run("upload", name=name, size_bytes=size_bytes)
    call.run("add_version")


def tidy(call: Call) -> None:
    """Somebody takes a comment back."""
    call.run("delete_comment")


def reprice(call: Call) -> None:
    """A bulk update, as raw SQL."""
    call.run("reprice", slice=call.chance.randrange(10))


def jobs(call: Call) -> None:
    """Machinery without a user."""
    call.run("queue_job", "run_jobs", kind="digest")


def failing(call: Call) -> None:
    """The database refuses the second statement, and with it the first."""
    call.run("edit_user", "oversell", name="never", product_id=call.world.products[0][0])


def undone(call: Call) -> None:
    """The application changes its mind."""
    call.run("edit_user", name="never")
    raise UndoneError


def savepoint(call: Call) -> None:
    """A part is rolled back, the rest is not."""
    call.run("edit_user", name=f"Kept {call.chance.randrange(10**6)}")
    kept = len(call.changes)
    try:
        with call.connection.transaction():
            call.run("comment", "oversell", product_id=call.world.products[0][0])
    except psycopg.errors.CheckViolation:
        del call.changes[kept:]


def replicated(call: Call) -> None:
    """A change that arrives by replication."""
    call.look("replicate")
    call.run("edit_task", state="replicated")
    call.changes.clear()  # Neither do triggers tell of it.


OPERATIONS: Mapping[Callable[[Call], None], int] = {
    order: 25,
    profile: 20,
    work: 25,
    upload: 10,
    tidy: 3,
    reprice: 2,
    jobs: 8,
    failing: 2,
    undone: 2,
    savepoint: 2,
    replicated: 1,
}
"""How often each happens, in percent."""
USER_FACING: Mapping[Callable[[Call], None], int] = {order: 30, profile: 25, work: 30, upload: 15}
"""What people wait for, and what always commits."""
