"""What people and machines do in the application of sql/legacy, the same for the same seed.

Every operation is a transaction; some fail, some are rolled back, some lose a savepoint, some replicate.
Connections are used again by whoever comes next, as behind PgBouncer: what a transaction says of its user
ends with it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
SIZES = {"users": 200, "products": 100, "projects": 50}


class _UndoneError(Exception):
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


@dataclass(slots=True)
class Call:
    """One operation: a transaction that begins, and what it is about.

    Attributes:
        connection: In the transaction.
        chance: Of this operation alone.
        world: Who and what there is.
        values: What its statements are given.
    """

    connection: Statements
    chance: random.Random
    world: World
    values: dict[str, Any]

    def run(self, *names: str, **more: Any) -> Any:
        """Run named statements; return the first column of the last one's row."""
        self.values |= more
        for name in names:
            cursor = self.connection.execute(_SQL[name], self.values)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


Log = Callable[[Call, str], None]
"""Called at the end of an operation's transaction, within it: where a service call would be."""


@dataclass(slots=True)
class Done:
    """What a run came to.

    Attributes:
        seconds: How long each operation took that committed, in seconds.
        counts: Operations by name; those that failed or were undone with a remark.
    """

    seconds: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def order(call: Call) -> None:
    """Somebody buys something."""
    lines = call.chance.sample(call.world.products, k=call.chance.randint(1, 4))
    total = sum(price for _, price in lines)
    call.values["order_id"] = call.run("place_order", total=total)
    for product_id, price in sorted(lines):
        call.run("add_item", "take_stock", product_id=product_id, price=price, quantity=1)
    call.run("pay", "mark_paid", reference=f"ref-{call.chance.randrange(10**9)}")


def profile(call: Call) -> None:
    """Somebody edits who they are."""
    call.run("edit_user", "save_profile", name=f"Name {call.chance.randrange(10**6)}")


def work(call: Call) -> None:
    """Somebody moves a task, and says so."""
    call.run("edit_task", "comment", state=call.chance.choice(["doing", "review", "done"]))


def upload(call: Call) -> None:
    """Somebody uploads a file."""
    call.run("upload", name=f"file-{call.chance.randrange(10**9)}", size_bytes=call.chance.randrange(10**7))


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
    raise _UndoneError


def savepoint(call: Call) -> None:
    """A part is rolled back, the rest is not."""
    call.run("edit_user", name=f"Kept {call.chance.randrange(10**6)}")
    with contextlib.suppress(psycopg.errors.CheckViolation), call.connection.transaction():
        call.run("comment", "oversell", product_id=call.world.products[0][0])


def replicated(call: Call) -> None:
    """A change that arrives by replication."""
    call.run("replicate", "edit_task", state="replicated")


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
USER_FACING = {order: 30, profile: 25, work: 30, upload: 15}
"""What people wait for, and what always commits."""


def populate(connection: Statements, *, seed: int = 0) -> World:
    """Make people, products and projects, unless they are there; return them."""
    if not connection.execute(_SQL["users"]).fetchone():
        with connection.transaction():
            for name in ("make_users", "make_products", "make_projects"):
                connection.execute(_SQL[name], {"seed": str(seed), **SIZES})
    return World(
        [row[0] for row in connection.execute(_SQL["users"])],
        connection.execute(_SQL["products"]).fetchall(),
        [row[0] for row in connection.execute(_SQL["tasks"])],
    )


def run_workload(
    dsn: str,
    *,
    operations: int,
    clients: int = 4,
    connections: int | None = None,
    seed: int = 0,
    mix: Mapping[Callable[[Call], None], int] = OPERATIONS,
    log: Log | None = None,
) -> Done:
    """Let clients do so many operations in all; which ones, and with what, follows from the seed.

    Args:
        dsn: The application's database, as `create_application` makes it.
        operations: How many.
        clients: Threads.
        connections: That they share; default: one each.
        seed: Of all chance.
        mix: How often each operation happens, as weights.
        log: The service call, within each transaction.
    """
    with connect(dsn) as connection:
        world = populate(connection, seed=seed)
    chance = random.Random(seed)  # noqa: S311
    plan = chance.choices(list(mix), weights=list(mix.values()), k=operations)
    numbers: Iterator[tuple[int, Callable[[Call], None]]] = iter(list(enumerate(plan)))
    lock, done = threading.Lock(), Done()
    with contextlib.ExitStack() as stack:
        pool: queue.SimpleQueue[Statements] = queue.SimpleQueue()
        for _ in range(connections or clients):
            pool.put(stack.enter_context(connect(dsn)))

        def client() -> None:
            while True:
                with lock:
                    found = next(numbers, None)
                if found is None:
                    return
                connection = pool.get()
                try:
                    outcome, seconds = _operate(connection, world, seed, *found, log=log)
                finally:
                    pool.put(connection)
                with lock:
                    done.counts[outcome] += 1
                    if seconds is not None:
                        done.seconds.append(seconds)

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return done


def _operate(
    connection: Statements,
    world: World,
    seed: int,
    number: int,
    operation: Callable[[Call], None],
    *,
    log: Log | None,
) -> tuple[str, float | None]:
    chance = random.Random(f"{seed}/{number}")  # noqa: S311
    user_id = chance.choice(world.users)
    values = {
        "user_id": str(user_id),
        "session_id": f"session-{user_id}",
        "request_id": f"request-{seed}-{number}",
        "task_id": chance.choice(world.tasks),
        "address": json.dumps({"street": f"Street {chance.randrange(1000)}", "city": "Oslo"}),
        "details": json.dumps({"number": number, "note": "x" * chance.randrange(200)}),
        "text": f"Text {number} " + "word " * chance.randrange(30),
    }
    call = Call(connection, chance, world, values)
    name = operation.__name__
    for _ in range(5):
        started = time.perf_counter()
        try:
            with connection.transaction():
                if operation is not jobs:
                    call.run("session")
                operation(call)
                if log is not None:
                    log(call, name)
        except _UndoneError:
            return f"{name}, rolled back", None
        except psycopg.errors.CheckViolation:
            return f"{name}, refused", None
        except psycopg.errors.DeadlockDetected:
            continue
        return name, time.perf_counter() - started
    return f"{name}, gave up", None
