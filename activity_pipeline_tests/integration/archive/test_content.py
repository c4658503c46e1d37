"""What comes back from Parquet is what was sent, whoever reads it; Postgres and DuckDB hash it alike."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from activity_pipeline.archive import ArchiveStore, open_duckdb
from activity_pipeline.archive.files.parquet import read_back, stored_rows, write_days
from activity_pipeline.events.content import LANE, Content
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.days import content_of, freeze, list_days
from activity_pipeline.hot.reader import frozen_rows
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import event

DAYS = [
    date(1969, 12, 31),
    date(1970, 1, 1),
    date(2000, 1, 1),
    date(2000, 2, 29),
    date(2026, 3, 1),
    date(2038, 1, 19),
    date(2100, 3, 1),
    date(2100, 12, 31),
]

texts = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    # Texts that look like what is hashed around them.
    st.lists(st.sampled_from(["-", ":", "1", "2", "-1:a", "ä", "'", '"', "\\", "\n", " "]), max_size=4).map(
        "".join
    ),
)
numbers = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=30).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["0", "-0", "-0.0", "1.10", "1e5", "1E+5", "1e-7", "100e-2", "1e300", "0.10e1", "9" * 400]
    ),
)
strings = st.builds(json.dumps, texts, ensure_ascii=st.booleans())
blanks = st.sampled_from(["", " ", "\n", "\t "])


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """JSON objects as texts: keys may come twice, and blanks stand where they may."""
    names = st.one_of(strings, st.sampled_from(['"a"', '"b"', '""', '"\\u0061"']))
    members = st.builds("{}{}:{}".format, names, blanks, values)
    return st.builds("{{{1}{0}}}".format, st.lists(members, max_size=4).map(",".join), blanks)


json_texts = objects(
    st.recursive(
        st.one_of(st.sampled_from(["null", "true", "false", "[]", "{}"]), numbers, strings),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda texts: f"[{', '.join(texts)}]"), objects(inner)
        ),
        max_leaves=8,
    )
)
rows = st.fixed_dictionaries(
    {
        "id": st.uuids(),
        "timestamp": st.builds(
            lambda day, us: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(microseconds=us),
            st.sampled_from(DAYS),
            st.one_of(st.integers(0, 86_400_000_000 - 1), st.sampled_from([0, 1, 86_400_000_000 - 1])),
        ),
        "source": texts.map(lambda text: text[:64] or "s"),
        "action": texts.map(lambda text: text[:128] or "a"),
        "entity_type": st.one_of(st.none(), texts),
        "entity_id": st.one_of(st.none(), texts),
        "user_id": st.one_of(st.none(), st.uuids()),
        "status": texts.map(lambda text: text[:32] or "success"),
        "metadata": st.one_of(st.none(), json_texts),
    }
)


def hashed(rows: list[tuple[Any, ...]]) -> Content:
    """Hash rows as the docstring of events/content.py says."""
    first = second = 0
    for id_, at, source, action, entity_type, entity_id, user_id, status, metadata in rows:
        microseconds = (at - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        lengths = len(source.encode()) | len(action.encode()) << 9 | len(status.encode()) << 40
        lengths |= 0 if entity_type is None else (len(entity_type.encode()) + 1) << 19
        lengths |= 0 if entity_id is None else (len(entity_id.encode()) + 1) << 28
        lengths |= 0 if user_id is None else 1 << 48
        written = id_.bytes + microseconds.to_bytes(8, "big", signed=True) + lengths.to_bytes(8, "big")
        written += user_id.bytes if user_id else b""
        texts = (source, action, entity_type, entity_id, status, metadata)
        written += "".join(text or "" for text in texts).encode()
        digest = hashlib.sha256(written).hexdigest()
        first += int(digest[:15], 16)
        second += int(digest[15:30], 16)
    return Content(len(rows), (first % LANE, second % LANE))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(rows, min_size=1, max_size=12, unique_by=lambda row: (row["timestamp"], row["id"])))
@example(
    events=[
        {
            "id": UUID(int=n),
            "timestamp": datetime(2026, 3, 1, tzinfo=UTC),
            "source": "s",
            "action": "a",
            "entity_type": kind,
            "entity_id": name,
            "user_id": None,
            "status": "success",
            "metadata": '{"b": 1, "a": 1.10, "b": 2}',
        }
        for n, (kind, name) in enumerate([("", None), (None, ""), ("-", None), ("1:-", ""), ("1", ":-")])
    ]
)
def test_postgres_duckdb_and_the_description_agree(running: Running, events: list[dict[str, Any]]) -> None:
    statements, bulk = running.statements, running.bulk
    for day in DAYS:
        statements.execute("select activity_create_day(%s)", [day])
    statements.execute("update activity_days set state = 'open'")
    statements.execute("truncate activity_logs_current")
    with bulk.cursor() as cursor:
        cursor.adbc_ingest(
            "activity_logs_current", pa.Table.from_pylist(events, schema=EVENT_SCHEMA), mode="append"
        )
    bulk.commit()
    freeze(statements, DAYS)
    in_postgres = {day: held for day, held in content_of(statements, DAYS).items() if held.rows}
    assert sum(content.rows for content in in_postgres.values()) == len(events)
    paths = {day: f"{day}.parquet" for day in DAYS}
    written = list(write_days(running.store, frozen_rows(bulk, list_days(statements, DAYS)), paths))
    with duckdb.connect() as connection:
        found = read_back(running.store, [paths[day] for day in written], connection)
        with stored_rows(running.store, [paths[day] for day in written], connection) as batches:
            by_duckdb = pa.Table.from_batches(batches, schema=EVENT_SCHEMA)
    assert {day: found[paths[day]][day].content for day in written} == in_postgres
    for day in written:
        kept = statements.execute(
            "select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata::text "
            "from activity_logs_current where (timestamp at time zone 'UTC')::date = %s",
            [day],
        ).fetchall()
        assert hashed(kept) == in_postgres[day]
        # Byte by byte, metadata as Postgres writes it; by the one reader and by the other.
        assert sorted(kept) == tuples(pq.read_table(running.store.full(paths[day])))
        is_of_day = pc.equal(pc.cast(by_duckdb["timestamp"], pa.date32()), pa.scalar(day))
        assert sorted(kept) == tuples(by_duckdb.filter(is_of_day))
        assert found[paths[day]][day].first_at == min(row[1] for row in kept)
        assert found[paths[day]][day].last_at == max(row[1] for row in kept)


def tuples(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in FIELDS) for row in table.to_pylist())


def nasty(cold: Cold) -> dict[UUID, dict[str, Any]]:
    """Store and archive events of every type and its extremes; return them by id."""
    start = datetime.combine(cold.day(2), datetime.min.time(), UTC)
    events = [
        event(0, start),
        event(1, start + timedelta(days=1, microseconds=-1), entity_type=None, entity_id=None, user_id=None),
        event(2, start, entity_type="", entity_id="", metadata=None),
        event(3, start, source="😀" * 64, action="\x7f\n\t'\"\\", entity_id="ä" * 512, metadata={}),
        event(
            4, start, metadata={"n": 10**30, "f": 1.5, "deep": [[{"": [None, True, "“"]}]], "z": "\x1b[0m"}
        ),
    ]
    cold.running.send(*(json.dumps(one).encode() for one in events))
    cold.running.drain()
    cold.archive()
    assert cold.running.ledger().archived == len(events)
    return {UUID(one["id"]): one for one in events}


def check(sent: dict[UUID, dict[str, Any]], kept: list[dict[str, Any]]) -> None:
    assert len(kept) == len(sent)
    for row in kept:
        one = sent[UUID(str(row["id"]))]
        assert row["timestamp"] == datetime.fromisoformat(one["timestamp"])
        assert row["timestamp"].utcoffset() == timedelta(0)
        for name in ("source", "action", "entity_type", "entity_id", "status"):
            assert row[name] == one[name]
        assert (row["user_id"] and str(row["user_id"])) == one["user_id"]
        assert (row["metadata"] and json.loads(row["metadata"])) == one["metadata"]


def test_duckdb_reads_what_was_sent(cold: Cold) -> None:
    sent = nasty(cold)
    with open_duckdb(cold.running.store.url) as archive:
        table = archive.execute("select * from activity_logs")
        columns = {name: str(kind) for name, kind, *_ in table.description}
        check(sent, [dict(zip(columns, row, strict=True)) for row in table.fetchall()])
    assert tuple(columns) == (*FIELDS, "date")
    assert columns["date"] == "DATE"
    assert columns["id"] == columns["user_id"] == "UUID"
    assert columns["timestamp"] == "TIMESTAMP WITH TIME ZONE"
    assert columns["metadata"] == "JSON"


def test_pyarrow_reads_what_was_sent(cold: Cold) -> None:
    sent = nasty(cold)
    (path,) = Path(cold.running.store.root).glob("events/*/*.parquet")
    table = pq.read_table(path)
    assert table.select(FIELDS).schema.equals(EVENT_SCHEMA)
    check(sent, table.select(FIELDS).to_pylist())
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(n) for n in range(group.num_columns)]
    assert {column.path_in_schema for column in columns if not column.statistics} == {"metadata"}
    assert {column.compression for column in columns} == {"ZSTD"}


def test_polars_reads_what_was_sent(cold: Cold) -> None:
    sent = nasty(cold)
    (path,) = Path(cold.running.store.root).glob("events/*/*.parquet")
    kept = pl.read_parquet(path).select(FIELDS).to_dicts()
    for row in kept:
        for name in ("id", "user_id"):
            row[name] = UUID(bytes=row[name]) if isinstance(row[name], bytes) else row[name]
    check(sent, kept)


def test_a_days_rows_are_sorted_by_what_happened(cold: Cold) -> None:
    day = cold.day(1)
    for _ in range(3):
        cold.send(day, 40)
    cold.archive()
    (path,) = Path(cold.running.store.root).glob("events/*/*.parquet")
    rows = pq.read_table(path, columns=["source", "action", "timestamp", "date"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["source"], row["action"], row["timestamp"]))
    assert {row["date"] for row in rows} == {day}


def test_a_day_of_many_row_groups(tmp_path: Path) -> None:
    total, start = 300_000, datetime(2026, 3, 1, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array([n.to_bytes(16, "big") for n in range(total)], pa.uuid()),
            "timestamp": pa.array(
                [start + timedelta(milliseconds=400 * n) for n in range(total)], pa.timestamp("us", tz="UTC")
            ),
            "source": pa.array(["s"] * total),
            "action": pa.array(["a"] * total),
            "status": pa.array(["success"] * total),
        }
    )
    for name in ("entity_type", "entity_id", "user_id", "metadata"):
        table = table.append_column(name, pa.nulls(total, EVENT_SCHEMA.field(name).type))
    table = table.select(FIELDS).cast(EVENT_SCHEMA)
    store = ArchiveStore(str(tmp_path))
    paths = {date(2026, 3, 1): "a.parquet", date(2026, 3, 2): "b.parquet", date(2026, 3, 3): "c.parquet"}
    written = list(write_days(store, table.to_batches(max_chunksize=7000), paths))
    assert written == [date(2026, 3, 1), date(2026, 3, 2)]
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 2
    with duckdb.connect() as connection:
        found = read_back(store, ["a.parquet", "b.parquet"], connection)
    assert {path: {day: of.content.rows for day, of in held.items()} for path, held in found.items()} == {
        "a.parquet": {date(2026, 3, 1): 216_000},
        "b.parquet": {date(2026, 3, 2): 84_000},
    }
    assert not (tmp_path / "c.parquet").exists()
