"""What a day takes in Parquet, against the hot day with its indexes and against unsorted rows.

Unsorted rows are shuffled, and those in the order of arrival nearly in that of time; each is one file as
pyarrow writes it with zstd 3.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.bench.archive.day import read_arrived, settle, write_plain
from activity_pipeline.bench.archive.export import CYCLE, ExportBench
from activity_pipeline.bench.figures import Figure
from activity_pipeline.bench.load import load_file
from activity_pipeline.bench.servers import Servers
from activity_pipeline.bench.turns import Say
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.hot.connection import connect, connect_bulk, open_hot
from activity_pipeline.hot.days import due_days, list_days
from activity_pipeline.hot.sizes import stored_bytes

SEED = 1
HOT_DAYS = 30
MOST_HOT_DAYS = 400
"""More days than that are nobody's hot window."""


def measure_size(bench: ExportBench) -> list[Figure]:
    """Compare the archived day with the hot one, and with its rows unsorted."""
    day = bench.day
    if not bench.size_bytes:
        bench.rate(CYCLE)
    with tempfile.TemporaryDirectory(prefix="activity-bench-") as folder, connect_bulk(day.dsn) as bulk:
        arrived = read_arrived(bulk, day.day)
        as_they_come = _plain_sizes(arrived, Path(folder))
    return _figures("", day.rows, bench.size_bytes, as_they_come, day.hot_bytes)


def measure_size_of(servers: Servers, path: Path, say: Say) -> list[Figure]:
    """Compare the events of a file, archived and compacted, with themselves unsorted.

    If they could be one hot window, also with its days, sealed.
    """
    with (
        servers.fresh_database() as dsn,
        tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
        open_hot(dsn) as (statements, bulk),
    ):
        rows = load_file(servers, dsn, path, hot_days=HOT_DAYS)
        as_they_come = _plain_sizes(read_arrived(bulk), Path(folder))
        store = ArchiveStore(f"{folder}/archive")
        archived = archive_days(
            statements, bulk, store, due_days(statements, hot_since=hot_since(today(), HOT_DAYS))
        )
        compacted = list(compact(statements, store, min_files=2))
        kept_bytes = sum(day.archived_bytes for day in list_days(statements))
    say(f"{path.name}: {rows:,} events of {len(archived):,} days in {len(compacted)} files")
    hot_bytes = None
    if len(archived) <= MOST_HOT_DAYS:
        with servers.fresh_database() as dsn, connect(dsn) as connection:
            load_file(servers, dsn, path)
            settle(connection, [day.day for day in list_days(connection)])
            hot_bytes = stored_bytes(connection)
    return _figures(f" of {path.name}", rows, kept_bytes, as_they_come, hot_bytes)


def _plain_sizes(arrived: pa.Table, folder: Path) -> dict[str, int]:
    """Return the sizes in bytes of files that pyarrow writes of rows in the order of arrival and in none."""
    shuffled = np.random.default_rng(SEED).permutation(len(arrived))
    orders = {"unsorted": arrived.take(pa.array(shuffled)), "in order of arrival": arrived}
    return {name: write_plain(rows, folder / "plain.parquet") for name, rows in orders.items()}


def _figures(
    whose: str, rows: int, kept_bytes: int, as_they_come: dict[str, int], hot_bytes: int | None
) -> list[Figure]:
    figures = [
        Figure(f"archived{whose}", kept_bytes / rows, "B/row"),
        *(Figure(f"{name}{whose}, pyarrow", size / rows, "B/row") for name, size in as_they_come.items()),
        Figure(f"archived / unsorted{whose}", kept_bytes / as_they_come["unsorted"], "x", 0.75, "at most"),
    ]
    if hot_bytes is not None:
        figures += [
            Figure(f"hot{whose}, with its indexes", hot_bytes / rows, "B/row"),
            Figure(f"archived / hot{whose}", kept_bytes / hot_bytes, "x", 0.1, "at most"),
        ]
    return figures
