"""One turn: the workload on a database of its own, with what tells of it, until all has arrived."""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.bench.latency import follower
from activity_pipeline.bench.legacy.operations import USER_FACING
from activity_pipeline.bench.legacy.service import SOURCE, OutboxTeller, QueueTeller
from activity_pipeline.bench.legacy.templates import OVERRIDES, SQL, WITH_TRIGGERS, WITHOUT
from activity_pipeline.bench.legacy.usage import Usage, read_usage
from activity_pipeline.bench.legacy.workload import Done, run_workload
from activity_pipeline.bench.query.data import SQL as FILL
from activity_pipeline.bench.servers import Servers
from activity_pipeline.errors import ActivityError
from activity_pipeline.events.days import ONE_DAY, span_of, today
from activity_pipeline.hot.connection import Statements, connect, open_hot
from activity_pipeline.hot.days import seal
from activity_pipeline.legacy.compare import compare, read_scope
from activity_pipeline.producer import ActivityLogger

PATIENCE_S = 120.0
POLL_S = 0.1
RECENT = timedelta(hours=1)
"""A turn is shorter; what there was before is a day older."""

OLD_DAYS = 45


@dataclass(frozen=True, slots=True)
class Side:
    """One way to audit.

    Attributes:
        template: The database that it begins with.
        teller: `outbox`, `queue`, or none.
    """

    template: str
    teller: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How people work.

    Attributes:
        operations: How many they do.
        clients: How many work at once, at the most.
        per_s: How many operations are begun a second; None for as many as can be.
    """

    operations: int
    clients: int
    per_s: float | None = None


SIDES = {
    "no auditing": Side(WITHOUT),
    "triggers": Side(WITH_TRIGGERS),
    "dual-write": Side(WITH_TRIGGERS, "outbox"),
    "outbox": Side(WITHOUT, "outbox"),
    "queue": Side(WITHOUT, "queue"),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn measured.

    Attributes:
        seconds: How long each operation took, sorted.
        usage: What it took, until the last event had arrived.
        told: Events that were accepted.
        stored: Events that have arrived.
        telling_s: How long telling took, each time, sorted.
        parity: Changes matched, missing, extra and different; none where there is nothing to compare.
        audit_rows: Audit rows that were written.
        audit_row_bytes: Bytes of each, with indexes.
    """

    seconds: list[float]
    usage: Usage
    told: int
    stored: int
    telling_s: list[float]
    parity: dict[str, int] | None
    audit_rows: int
    audit_row_bytes: float


def take_turn(servers: Servers, side: Side, pace: Pace, *, seed: int) -> Turn:
    """Run the workload; the drain follows, and a day of as many events is archived meanwhile.

    Raises:
        ActivityError: Events do not arrive.
    """
    with servers.fresh_database(side.template) as dsn, connect(servers.stack.postgres_dsn) as admin:
        if not side.teller:
            before = read_usage(admin)
            done = work(dsn, pace, seed=seed)
            usage = read_usage(admin).since(before)
            return Turn(sorted(done.seconds), usage, 0, 0, [], None, *_audited(dsn))
        with (
            connect(dsn) as ours,
            tempfile.TemporaryDirectory() as folder,
            telling(servers, side.teller, folder) as teller,
            follower(servers.stack.redis_url, dsn),
            archiver(dsn, folder, _fill_old_day(ours, rows=4 * pace.operations)) as archive,
        ):
            work(dsn, Pace(20, pace.clients), seed=1, teller=teller)
            wait_for_events(dsn, teller.told)
            warm, teller.seconds = teller.told, []
            before = read_usage(admin)
            archive.begin()
            done = work(dsn, pace, seed=seed, teller=teller)
            wait_for_events(dsn, teller.told)
            archive.finish()
            usage = read_usage(admin).since(before)
            stored = _count(ours, "shop_events")
        with connect(dsn) as ours:
            parity = _parity(dsn, ours) if side.template == WITH_TRIGGERS else None
        told, audited = teller.told - warm, _audited(dsn)
    return Turn(sorted(done.seconds), usage, told, stored - warm, sorted(teller.seconds), parity, *audited)


def work(dsn: str, pace: Pace, *, seed: int, teller: OutboxTeller | QueueTeller | None = None) -> Done:
    """Run what people do."""
    return run_workload(
        dsn,
        operations=pace.operations,
        clients=pace.clients,
        seed=seed,
        mix=USER_FACING,
        teller=teller,
        per_s=pace.per_s,
    )


class Archiver:
    """A process that archives a day once it is told to; what it takes to start counts for nobody."""

    def __init__(self, dsn: str, folder: str, day: date) -> None:
        """Start it and wait until it is ready."""
        context = multiprocessing.get_context("spawn")
        self._go, ready = context.Event(), context.Event()
        self._process = context.Process(target=_archive, args=(dsn, folder, day, ready, self._go))
        self._process.start()
        if not ready.wait(PATIENCE_S):
            raise ActivityError("the archiver does not start")

    def begin(self) -> None:
        """Let it work."""
        self._go.set()

    def finish(self) -> None:
        """Wait for its end.

        Raises:
            ActivityError: It has failed.
        """
        self._process.join(PATIENCE_S)
        if self._process.exitcode != 0:
            raise ActivityError("the archiver has failed")

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.join()


@contextlib.contextmanager
def archiver(dsn: str, folder: str, day: date) -> Iterator[Archiver]:
    """Yield a process that is ready to archive a day."""
    process = Archiver(dsn, folder, day)
    try:
        yield process
    finally:
        process.close()


def _archive(dsn: str, folder: str, day: date, ready: Event, go: Event) -> None:
    with open_hot(dsn) as (statements, bulk):
        ready.set()
        if go.wait(PATIENCE_S):
            archive_days(statements, bulk, ArchiveStore(f"{folder}/archive"), [day])


@contextlib.contextmanager
def telling(servers: Servers, teller: str, folder: str) -> Iterator[OutboxTeller | QueueTeller]:
    """Yield service calls."""
    if teller == "outbox":
        yield OutboxTeller()
        return
    spool = Path(folder) / "spool"
    with ActivityLogger(servers.stack.redis_url, source=SOURCE, spool_dir=spool) as activity:
        yield QueueTeller(activity)


def _fill_old_day(ours: Statements, *, rows: int) -> date:
    day = today() - OLD_DAYS * ONE_DAY
    since, until = span_of([day])
    ours.execute(FILL["create_day"], {"day": day})
    asked = {"since": since, "until": until, "rows": rows, "users": 200, "things": 1000}
    ours.execute(FILL["fill"], asked)
    seal(ours, [day])
    return day


def _count(ours: Statements, what: str) -> int:
    row = ours.execute(SQL[what]).fetchone()
    return int(row[0]) if row else 0


def wait_for_events(dsn: str, told: int) -> None:
    """Wait until so many events of changes are in the tables.

    Raises:
        ActivityError: They do not arrive.
    """
    deadline = time.monotonic() + PATIENCE_S
    with connect(dsn) as ours:
        while (stored := _count(ours, "shop_events")) < told:
            if time.monotonic() > deadline:
                raise ActivityError(f"{told - stored:,} events have not arrived")
            time.sleep(POLL_S)


def _parity(dsn: str, ours: Statements) -> dict[str, int]:
    now = datetime.now(UTC)
    with connect(dsn) as application:
        scope = read_scope(application, OVERRIDES)
        return compare(application, ours, scope, now - RECENT, now + RECENT).totals


def _audited(dsn: str) -> tuple[int, float]:
    """Return how many audit rows were written, and the bytes of each with its indexes."""
    with connect(dsn) as connection:
        row = connection.execute(SQL["audit_size"], {"since": datetime.now(UTC) - RECENT}).fetchone()
    return (int(row[0]), row[2] / row[1]) if row and row[1] else (0, 0.0)
