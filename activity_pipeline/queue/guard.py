"""Whether this Redis can be trusted with the queue."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from activity_pipeline.errors import QueueEvictsError

KEEPS_EVERYTHING = "noeviction"
NEARLY_FULL = 0.8
"""Share of maxmemory above which Redis is about to refuse events."""


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """What `doctor` shows of Redis.

    Attributes:
        version: The server's version.
        eviction_policy: `noeviction` is the only safe one.
        append_only: Whether the AOF is on; without it a crash loses what Postgres has not taken.
        used_bytes: Memory in use.
        limit_bytes: `maxmemory`, 0 for none.
    """

    version: str
    eviction_policy: str
    append_only: bool
    used_bytes: int
    limit_bytes: int

    @property
    def concerns(self) -> list[str]:
        """What an operator should change soon, a sentence each."""
        found = []
        if not self.append_only:
            found.append(
                "no append-only file: a crash of Redis loses what Postgres has not taken, set appendonly yes"
            )
        if self.limit_bytes and self.used_bytes > NEARLY_FULL * self.limit_bytes:
            found.append(
                f"{self.used_bytes:,} of {self.limit_bytes:,} bytes are used: producers will spool soon"
            )
        return found


def inspect(client: redis.Redis) -> QueueHealth:
    """Ask Redis for what matters to a queue; needs only INFO, which managed services allow."""
    memory = client.info("memory")
    persistence = client.info("persistence")
    server = client.info("server")
    return QueueHealth(
        version=str(server["redis_version"]),
        eviction_policy=str(memory.get("maxmemory_policy", "unknown")),
        append_only=bool(persistence.get("aof_enabled")),
        used_bytes=int(memory["used_memory"]),
        limit_bytes=int(memory.get("maxmemory", 0)),
    )


def refuse_eviction(health: QueueHealth) -> None:
    """Stop where Redis may throw queued events away.

    Raises:
        QueueEvictsError: With `policy`.
    """
    if health.eviction_policy != KEEPS_EVERYTHING:
        raise QueueEvictsError(
            f"Redis has maxmemory-policy {health.eviction_policy}: under memory pressure it throws queued "
            "events away. Set it to noeviction.",
            policy=health.eviction_policy,
        )
