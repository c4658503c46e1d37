"""How a drain is told what to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from activity_pipeline.events.model import Rules
from activity_pipeline.settings import Settings, split_list

GATHER_ROWS = 1_000
"""A batch of fewer events costs Postgres more for itself than for them."""


@dataclass(frozen=True, slots=True)
class DrainConfig:
    """How to drain.

    Attributes:
        redis_url: The queue.
        postgres_dsn: The sink.
        outbox_dsns: Databases with an outbox; empty: the sink alone.
        shards: Number of streams.
        hot_days: Days that stay hot, today included.
        rules: What an event may be.
        batch_rows: Events that one transaction aims at.
        budget_s: Longest time to go on while events keep coming, seconds.
        idle_s: How long a stream or an outbox must stay empty before the drain ends, seconds.
        gather_s: How long to let events gather after a batch of fewer than GATHER_ROWS, seconds.
    """

    redis_url: str
    postgres_dsn: str
    outbox_dsns: tuple[str, ...] = ()
    shards: int = 1
    hot_days: int = 30
    rules: Rules = field(default_factory=Rules)
    batch_rows: int = 50_000
    budget_s: float = 3600.0
    idle_s: float = 0.0
    gather_s: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> DrainConfig:
        """Take everything from the settings."""
        return cls(
            redis_url=settings.redis_url,
            postgres_dsn=settings.postgres_dsn,
            outbox_dsns=settings.outbox_dsns,
            shards=settings.queue_shards,
            hot_days=settings.hot_days,
            rules=Rules(
                max_metadata_bytes=settings.max_metadata_bytes,
                max_ahead_hours=settings.max_ahead_hours,
                first_day=settings.first_day,
                allowed_sources=split_list(settings.allowed_sources),
                allowed_statuses=split_list(settings.allowed_statuses),
            ),
            batch_rows=settings.batch_rows,
            budget_s=settings.drain_budget_s,
            idle_s=settings.drain_idle_s,
        )

    @property
    def outboxes(self) -> tuple[str, ...]:
        """The databases whose outbox is drained."""
        return self.outbox_dsns or (self.postgres_dsn,)
