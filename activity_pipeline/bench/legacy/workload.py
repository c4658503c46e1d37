"""The workload of the application of sql/legacy, the same for the same seed.

Some operations fail, some are rolled back, some lose a savepoint, some replicate. Connections are used
again by whoever comes next, as behind PgBouncer: what a transaction says of its user ends with it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import psycopg

from activity_pipeline.bench.legacy.operations import OPERATIONS, SQL, Call, UndoneError, World, jobs
from activity_pipeline.hot.connection import Statements, connect

SIZES = {"users": 200, "products": 100, "projects": 50}


class Teller(Protocol):
    """The service calls of the application."""

    def within(self, call: Call) -> None:
        """Be called at the end of an operation's transaction, within it."""

    def after(self, call: Call) -> None:
        """Be called once it has committed."""


@dataclass(slots=True)
class Done:
    """What a run came to.

    Attributes:
        seconds: How long each operation took that committed, in seconds.
        counts: Operations by name; those that failed or were undone with a remark.
        elapsed_s: From the first operation's beginning to the last one's end, in seconds.
    """

    seconds: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    elapsed_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Operations a second, those that failed among them."""
        return sum(self.counts.values()) / self.elapsed_s


def populate(connection: Statements, *, seed: int = 0) -> World:
    """Make people, products and projects, unless they are there; return them."""
    if not connection.execute(SQL["users"]).fetchone():
        with connection.transaction():
            for name in ("make_users", "make_products", "make_projects"):
                connection.execute(SQL[name], {"seed": str(seed), **SIZES})
    return World(
        [row[0] for row in connection.execute(SQL["users"])],
        connection.execute(SQL["products"]).fetchall(),
        [row[0] for row in connection.execute(SQL["tasks"])],
    )


def run_workload(
    dsn: str,
    *,
    operations: int,
    clients: int = 4,
    connections: int | None = None,
    seed: int = 0,
    mix: Mapping[Callable[[Call], None], int] = OPERATIONS,
    teller: Teller | None = None,
    per_s: float | None = None,
) -> Done:
    """Let clients do so many operations in all; which ones, and with what, follows from the seed.

    Args:
        dsn: The application's database, as `create_application` makes it.
        operations: How many.
        clients: Threads.
        connections: That they share; default: one each.
        seed: Of all chance.
        mix: How often each operation happens, as weights.
        teller: The service calls; without one nothing is told.
        per_s: How many operations a second are begun, as far as clients are free; default: as many as can be.
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
                if per_s is not None:
                    time.sleep(max(started + found[0] / per_s - time.monotonic(), 0))
                connection = pool.get()
                try:
                    outcome, seconds = _operate(connection, world, seed, *found, teller=teller)
                finally:
                    pool.put(connection)
                with lock:
                    done.counts[outcome] += 1
                    if seconds is not None:
                        done.seconds.append(seconds)

        started = time.monotonic()
        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done.elapsed_s = time.monotonic() - started
    return done


def _operate(
    connection: Statements,
    world: World,
    seed: int,
    number: int,
    operation: Callable[[Call], None],
    *,
    teller: Teller | None,
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
    call = Call(connection, chance, world, values, is_told=teller is not None)
    name = operation.__name__
    for _ in range(5):
        started = time.perf_counter()
        try:
            with connection.transaction():
                if operation is not jobs:
                    call.look("session")
                call.changes.clear()
                operation(call)
                if teller is not None:
                    teller.within(call)
            if teller is not None:
                teller.after(call)
        except UndoneError:
            return f"{name}, rolled back", None
        except psycopg.errors.CheckViolation:
            return f"{name}, refused", None
        except psycopg.errors.DeadlockDetected:
            continue
        return name, time.perf_counter() - started
    return f"{name}, gave up", None
