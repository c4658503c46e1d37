"""The service calls that replace the triggers: an event a changed row, by outbox or by queue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from activity_pipeline.bench.legacy.operations import Call, Changed
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.producer.logger import ActivityLogger
from activity_pipeline.producer.outbox import encode

_SQL = load_queries(__file__)
SOURCE = "shop"
KEYS = {
    "app.user_profiles": ("user_id",),
    "app.stock": ("product_id",),
}
"""Primary keys that are not `id`."""


def _fields(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    for changed in call.changes:
        name = changed.table_name.partition(".")[2]
        yield (
            f"{name}.{changed.operation.lower()}",
            {
                "entity_type": name,
                "entity_id": _key(changed),
                "user_id": call.values["user_id"],
                "metadata": _metadata(changed),
            },
        )


def _key(changed: Changed) -> str:
    row = msgspec.json.decode(changed.new or changed.old or "{}")
    return ",".join(str(row[column]) for column in KEYS.get(changed.table_name, ("id",)))


def _metadata(changed: Changed) -> dict[str, Any]:
    sides = {"old": changed.old, "new": changed.new}
    return {
        "table": changed.table_name,
        "operation": changed.operation,
        "txid": changed.txid,
        # As Postgres has written it: it is not taken apart only to be put together again.
        **{side: msgspec.Raw(text.encode()) for side, text in sides.items() if text is not None},
    }


@dataclass(slots=True)
class OutboxTeller:
    """Writes the events of a transaction in the transaction, by one statement.

    Attributes:
        seconds: How long each transaction's took, in seconds.
        told: Events of transactions that have committed.
    """

    seconds: list[float] = field(default_factory=list)
    told: int = 0

    def within(self, call: Call) -> None:
        """Write them."""
        started = time.perf_counter()
        lines = [encode(action, SOURCE, **fields)[1] for action, fields in _fields(call)]
        if lines:
            call.connection.execute(_SQL["write"], {"lines": lines})
            self.seconds.append(time.perf_counter() - started)

    def after(self, call: Call) -> None:
        """Count them."""
        self.told += len(call.changes)


@dataclass(slots=True)
class QueueTeller:
    """Sends the events of a transaction once it has committed.

    Attributes:
        activity: By this.
        seconds: How long each event's call took, in seconds.
        told: Events that were accepted.
    """

    activity: ActivityLogger
    seconds: list[float] = field(default_factory=list)
    told: int = 0

    def within(self, call: Call) -> None:
        """Do nothing yet."""

    def after(self, call: Call) -> None:
        """Send them."""
        self.told += len(call.changes)
        for action, fields in _fields(call):
            started = time.perf_counter()
            self.activity.log(action, **fields)
            self.seconds.append(time.perf_counter() - started)
