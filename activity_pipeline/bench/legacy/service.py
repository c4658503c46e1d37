"""The service calls that replace the triggers: an event a changed row, by outbox or by queue.

An update tells the columns that it has changed, an insert or a delete the whole row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from activity_pipeline.bench.legacy.operations import Call
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


Row = dict[str, msgspec.Raw]
_decode = msgspec.json.Decoder(Row).decode


def _fields(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    for changed in call.changes:
        name = changed.table_name.partition(".")[2]
        old = _decode(changed.old) if changed.old else None
        new = _decode(changed.new) if changed.new else None
        row = new or old or {}
        key = ",".join(_text(row[column]) for column in KEYS.get(changed.table_name, ("id",)))
        if old and new:
            names = [column for column, value in new.items() if bytes(value) != bytes(old[column])]
            old, new = {column: old[column] for column in names}, {column: new[column] for column in names}
        metadata = {"table": changed.table_name, "operation": changed.operation, "txid": changed.txid}
        sides = {side: values for side, values in (("old", old), ("new", new)) if values is not None}
        yield (
            f"{name}.{changed.operation.lower()}",
            {
                "entity_type": name,
                "entity_id": key,
                "user_id": call.values["user_id"],
                # As Postgres has written it: values are not taken apart only to be put together again.
                "metadata": metadata | sides,
            },
        )


def _text(value: msgspec.Raw) -> str:
    return bytes(value).decode().strip('"')


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
