"""Looking at everything that can be wrong before it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import psycopg
import redis

from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.hot.migrations import pending
from activity_pipeline.hot.offsets import read_offsets
from activity_pipeline.hot.outbox import read_waiting
from activity_pipeline.ingest.lag import read_lag
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.guard import inspect
from activity_pipeline.queue.read import backlog, check_not_rewound
from activity_pipeline.settings import Settings

OLDEST_POSTGRES = 15
MANY_ROWS = 100_000
LONG_WAIT_S = 300.0
"""Longer than a sensor, a drain and its longest pause between failures would need."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ok, worth a warning, or wrong; its figures, for machines."""

    verdict: Literal["ok", "warn", "fail"]
    subject: str
    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def examine(settings: Settings) -> list[Finding]:
    """Look at queue, schema, ledger and archive; whatever cannot be reached is a finding too."""
    findings: list[Finding] = []
    examinations: dict[str, Callable[[Settings], Iterator[Finding]]] = {
        "queue": _queue,
        "postgres": _postgres,
        "offsets": _offsets,
        "outbox": _outboxes,
        "ledger": _ledger,
        "archive": _archive,
        "spool": _spool,
    }
    for subject, look in examinations.items():
        try:
            findings += look(settings)
        except (ActivityError, redis.RedisError, psycopg.Error, OSError) as error:
            findings.append(Finding("fail", subject, str(error).strip()))
    return findings


def _queue(settings: Settings) -> Iterator[Finding]:
    with connect_queue(settings.redis_url) as client:
        health = inspect(client)
        waiting = backlog(client, settings.queue_shards)
    yield Finding("ok", "queue", f"Redis {health.version}, {waiting:,} entries wait", asdict(health))
    if health.eviction_policy == "noeviction":
        yield Finding("ok", "queue", "maxmemory-policy is noeviction")
    else:
        text = f"maxmemory-policy is {health.eviction_policy}: Redis may throw events away, set noeviction"
        yield Finding("fail", "queue", text)
    for concern in health.concerns:
        yield Finding("warn", "queue", concern)
    if not health.concerns:
        yield Finding("ok", "queue", "the append-only file is on, and there is memory left")


def _postgres(settings: Settings) -> Iterator[Finding]:
    with connect(settings.postgres_dsn) as connection:
        version = connection.info.server_version // 10_000
        missing = pending(connection)
    known = version >= OLDEST_POSTGRES
    text = f"Postgres {version}" if known else f"Postgres {version} is older than {OLDEST_POSTGRES}"
    yield Finding("ok" if known else "fail", "postgres", text)
    if missing:
        yield Finding("fail", "postgres", f"run activity-pipeline migrate: {', '.join(missing)} are missing")
    else:
        yield Finding("ok", "postgres", "the schema is up to date")


def _offsets(settings: Settings) -> Iterator[Finding]:
    with connect(settings.postgres_dsn) as connection, connect_queue(settings.redis_url) as client:
        for stream in read_lag(client, read_offsets(connection), shards=settings.queue_shards).streams:
            check_not_rewound(client, stream.shard, stream.offset)
            text = (
                f"shard {stream.shard} is stored up to {stream.offset}, {stream.waiting_events:,} events wait"
            )
            verdict: Literal["ok", "warn"] = "warn" if stream.oldest_s > LONG_WAIT_S else "ok"
            if stream.waiting_entries:
                text += f", the oldest for {stream.oldest_s:,.0f} s"
            yield Finding(verdict, "offsets", text, asdict(stream))


def _outboxes(settings: Settings) -> Iterator[Finding]:
    for number, dsn in enumerate(settings.outbox_dsns or (settings.postgres_dsn,), 1):
        try:
            with connect(dsn) as connection:
                waiting = read_waiting(connection, limit=MANY_ROWS)
        except psycopg.errors.UndefinedTable:
            text = f"outbox {number} does not exist: run activity-pipeline migrate (--outbox elsewhere)"
            yield Finding("fail", "outbox", text)
        except (ActivityError, psycopg.Error) as error:
            yield Finding("fail", "outbox", f"outbox {number}: {str(error).strip()}")
        else:
            rows = f"{waiting.rows:,} rows" if waiting.rows < MANY_ROWS else f"{MANY_ROWS:,} rows or more"
            verdict: Literal["ok", "warn"] = "warn" if waiting.oldest_s > LONG_WAIT_S else "ok"
            text = f"outbox {number}: {rows} wait, the oldest for {waiting.oldest_s:,.0f} s"
            yield Finding(verdict, "outbox", text)


def _ledger(settings: Settings) -> Iterator[Finding]:
    with connect(settings.postgres_dsn) as connection:
        ledger = read_ledger(connection)
    if ledger.residual:
        wrong = ", ".join(f"{name} {n:,}" for name, n in ledger.differences.items() if n)
        yield Finding("fail", "ledger", f"the residual is {ledger.residual:,}: {wrong}")
    else:
        yield Finding(
            "ok", "ledger", f"{ledger.received:,} events received, the residual is 0", ledger.as_dict()
        )
    if ledger.dead_lettered:
        yield Finding(
            "warn", "ledger", f"{ledger.dead_lettered:,} dead letters: activity-pipeline dead-letters list"
        )


def _archive(settings: Settings) -> Iterator[Finding]:
    store = ArchiveStore(settings.archive_root)
    store.check()
    yield Finding("ok", "archive", f"{store.url} can be written, read and listed")
    with connect(settings.postgres_dsn) as connection:
        found = disagreements(connection, store)
    if found:
        first = found[0]
        text = f"{len(found):,} disagreements with Postgres, first {first['day']}: {first['what']}"
        yield Finding("fail", "archive", text)
    else:
        yield Finding("ok", "archive", f"{store.url} agrees with Postgres")


def _spool(settings: Settings) -> Iterator[Finding]:
    waiting = sorted(settings.spool_path.glob("*.spool")) if settings.spool_path.is_dir() else []
    if waiting:
        size_bytes = sum(path.stat().st_size for path in waiting)
        text = (
            f"{len(waiting)} files, {size_bytes:,} bytes in {settings.spool_path}: the next logger sends them"
        )
        yield Finding("warn", "spool", text)
    else:
        yield Finding("ok", "spool", "nothing waits on disk")
