"""Lines to typed columns and verdicts, for a whole batch at once (DuckDB over Arrow)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.events.model import DEFAULT_STATUS, FIELDS, DeadLetterReason, Rules

EVENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.uuid(), nullable=False),
        pa.field("timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("entity_type", pa.string()),
        pa.field("entity_id", pa.string()),
        pa.field("user_id", pa.uuid()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("metadata", pa.json_(pa.string())),
    ]
)
"""An event as columns: what the decoder yields, Postgres takes and Parquet keeps."""

LINES_PER_CHUNK = 8192
"""Arrow chunk size: DuckDB spreads chunks, not rows, over its threads."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A batch of lines, judged.

    Attributes:
        events: EVENT_SCHEMA, the good lines in their order.
        event_positions: int32, the position of each of them among the lines.
        refused_positions: int32, the positions of the others.
        refused_reasons: string, a DeadLetterReason for each of those.
    """

    events: pa.Table
    event_positions: pa.Array
    refused_positions: pa.Array
    refused_reasons: pa.Array


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    # One core is left to Postgres, which stores the batch before: with all of them it waits for us.
    threads = max(1, (os.cpu_count() or 1) - 1)
    connection = duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": "false", "threads": str(threads)}
    )
    connection.execute("set timezone = 'UTC'")
    connection.execute("set arrow_lossless_conversion = true")  # uuid and json keep their types
    return connection


@cache
def _query() -> str:
    return (Path(__file__).parent / "judge.sql").read_text()


def judge(lines: pa.Table, rules: Rules, *, shard: int, now: datetime) -> Verdicts:
    """Judge lines by the rules of the event model.

    Args:
        lines: Columns `line` (string, one JSON text each), `received_at` (timestamp[us, UTC], stamped
            on events without a timestamp), `entry_id` (string) and `line_number` (int32): an event
            without an id gets one made of its place in the queue, so that a replay gives it the same.
            Any of them as a dictionary.
        rules: Limits and allow-lists.
        shard: Stream that the lines came through.
        now: The instant that "ahead" is measured from.
    """
    table = lines.append_column("position", pa.array(np.arange(len(lines), dtype=np.int32))).combine_chunks()
    cursor = _connection().cursor()
    chunks = table.to_batches(max_chunksize=LINES_PER_CHUNK)
    cursor.register("lines", pa.Table.from_batches(chunks, schema=table.schema))
    parameters = {
        "shard": shard,
        "default_status": DEFAULT_STATUS,
        "allowed_sources": list(rules.allowed_sources),
        "allowed_statuses": list(rules.allowed_statuses),
        "latest": now + timedelta(hours=rules.max_ahead_hours),
        "earliest": datetime.fromisoformat(rules.first_day).replace(tzinfo=UTC),
        "max_metadata_bytes": rules.max_metadata_bytes,
    }
    try:
        judged = cursor.sql(_query(), params=parameters).to_arrow_table()
    finally:
        cursor.close()
    doubtful = judged["doubtful"].combine_chunks().cast(pa.bool_())
    if doubtful.true_count:
        judged = _look_closer(judged, table["line"], doubtful)
    is_good = pc.is_null(judged["reason"])
    good = judged if judged["reason"].null_count == len(judged) else judged.filter(is_good)
    refused = judged.filter(pc.invert(is_good))
    return Verdicts(
        events=good.select(FIELDS).cast(EVENT_SCHEMA),
        event_positions=good["position"].combine_chunks(),
        refused_positions=refused["position"].combine_chunks(),
        refused_reasons=refused["reason"].combine_chunks(),
    )


class _Metadata(msgspec.Struct):
    """The metadata's own text, under either of its names."""

    metadata: msgspec.Raw = msgspec.Raw(b"")
    details: msgspec.Raw = msgspec.Raw(b"")


def _look_closer(judged: pa.Table, lines: pa.ChunkedArray, doubtful: pa.BooleanArray) -> pa.Table:
    """Read the doubtful lines strictly: refuse what is not JSON, keep metadata as it was sent."""
    decoder = msgspec.json.Decoder(_Metadata)
    texts: list[str | None] = []
    reasons: list[str | None] = []
    for line in lines.take(judged["position"].filter(doubtful)).to_pylist():
        text, reason = None, None
        try:
            found = decoder.decode(line)
            text = bytes(found.metadata or found.details).decode()
        except msgspec.DecodeError:
            reason = DeadLetterReason.NOT_JSON.value
        except RecursionError:
            reason = DeadLetterReason.METADATA_REFUSED.value
        texts.append(None if text in {"", "null"} else text)
        reasons.append(reason)
    for name, values in (("metadata", texts), ("reason", reasons)):
        replaced = pc.replace_with_mask(
            judged[name].combine_chunks(), doubtful, pa.array(values, judged[name].type)
        )
        judged = judged.set_column(judged.column_names.index(name), name, replaced)
    return judged
