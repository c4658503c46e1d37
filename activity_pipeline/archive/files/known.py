"""Reading the archive: which events it holds already."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.archive.chain.index import entries_of, files_of
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError

logger = logging.getLogger(__name__)


def known_ids(
    store: ArchiveStore, connection: duckdb.DuckDBPyConnection, paths: Sequence[str], events: pa.Table
) -> pa.Array:
    """Tell for each event whether one of the files holds it: same id, same timestamp.

    Args:
        store: The archive.
        connection: Any DuckDB connection.
        paths: Files, relative to the root.
        events: Columns id and timestamp at least.

    Returns:
        boolean, one per event.
    """
    if not paths:
        return pa.array([False] * len(events), pa.bool_())
    store.register(connection)
    numbered = events.select(["id", "timestamp"]).append_column("n", pa.array(range(len(events)), pa.int32()))
    connection.register("candidates", numbered)
    query = (Path(__file__).parent / "known.sql").read_text()
    files = [store.duckdb_path(path) for path in paths]
    found = connection.sql(query, params={"files": files}).to_arrow_table()["n"].combine_chunks()
    connection.unregister("candidates")
    known: pa.Array = pc.is_in(pa.array(range(len(events)), pa.int32()), value_set=found)
    return known


class KnownEvents:
    """Answers the writer's question which late events the archive holds (hot/writer.py)."""

    def __init__(self, store: ArchiveStore) -> None:
        self._store = store

    def __call__(self, events: pa.Table, manifests: dict[str, str]) -> pa.Array:
        """Tell for each event whether its day's archive holds it.

        Where the archive cannot be read the answer is no for all: the event is stored as late, and
        the merge into its day finds the duplicate. The drain must not wait for an archive.

        Args:
            events: Columns id and timestamp at least.
            manifests: Newest manifest of each archived day, ISO date.
        """
        days = pa.array([date.fromisoformat(day) for day in manifests], pa.date32())
        asked = pc.is_in(pc.cast(events["timestamp"], pa.date32()).combine_chunks(), value_set=days)
        try:
            names = {date.fromisoformat(day): name for day, name in manifests.items()}
            paths = list(files_of(entries_of(self._store, names).values()))
            with duckdb.connect(":memory:") as connection, self._store.querying():
                known = known_ids(self._store, connection, paths, events.filter(asked))
        except ArchiveError as error:
            logger.warning("late events are stored unchecked, the archive does not answer: %s", error)
            return pa.array([False] * len(events), pa.bool_())
        answer: pa.Array = pc.replace_with_mask(asked, asked, known)
        return answer
