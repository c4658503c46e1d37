"""What a drain says it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from activity_pipeline.hot.batch import OUTBOX, Batch, Stored


@dataclass(slots=True)
class DrainReport:
    """What a drain did.

    Attributes:
        adopted: Events moved over from the legacy list.
        batches: Transactions.
        received: Events taken from the queue and the outboxes.
        from_outbox: Those of them that came from an outbox.
        outboxes_away: The outboxes that could not be asked, and why.
        dead_lettered: Events refused.
        inserted: New events by day.
        duplicate: Events stored before, by day.
        seconds: Time spent on batches, without the time that the queue was empty.
    """

    adopted: int = 0
    batches: int = 0
    received: int = 0
    from_outbox: int = 0
    outboxes_away: list[str] = field(default_factory=list)
    dead_lettered: int = 0
    inserted: Counter[date] = field(default_factory=Counter)
    duplicate: Counter[date] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def touched_days(self) -> list[date]:
        """Days that got new events, in order."""
        return sorted(day for day, count in self.inserted.items() if count)

    def add(self, batch: Batch, stored: Stored) -> None:
        """Count one more batch."""
        self.batches += 1
        self.received += batch.received
        self.from_outbox += sum(each.received for each in batch.receipts if each.producer_id == OUTBOX)
        self.dead_lettered += stored.dead_lettered
        self.inserted.update(stored.inserted)
        self.duplicate.update(stored.duplicate)

    def merge(self, other: DrainReport) -> None:
        """Add what another source's drain did."""
        self.adopted += other.adopted
        self.batches += other.batches
        self.received += other.received
        self.from_outbox += other.from_outbox
        self.outboxes_away += other.outboxes_away
        self.dead_lettered += other.dead_lettered
        self.inserted.update(other.inserted)
        self.duplicate.update(other.duplicate)
        self.seconds += other.seconds
