"""DuckDB views over the archive, for analysts: the same in the command line, Python and any DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb

from activity_pipeline.archive.analyst.results import result_files
from activity_pipeline.archive.files.known import event_files
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.events.model import FIELDS
from activity_pipeline.settings import packaged

EVENTS = "activity_logs"


def views_sql(store: ArchiveStore) -> str:
    """Return the script that makes the views, with the files that the manifests list right now.

    A view without files yet is empty and has its columns all the same.
    """
    files = {
        EVENTS: event_files(store),
        **{
            table: result_files(store, table)
            for table in ("activity_metrics_daily", "activity_anomalies_daily")
        },
    }
    parts = [(packaged("sql") / "analyst" / "empty.sql").read_text()]
    for view, paths in files.items():
        if paths:
            listed = ",\n    ".join("'" + path.replace("'", "''") + "'" for path in paths)
            columns = f"{', '.join(FIELDS)}, cast(timestamp as date) as date" if view == EVENTS else "*"
            # A view cannot take parameters; the names come out of manifests and are quoted.
            scan = f"read_parquet([\n    {listed}\n], hive_partitioning = false)"
            parts.append(f"create or replace view {view} as\nselect {columns} from {scan};\n")
    return "\n".join(parts)


def publish_views(store: ArchiveStore) -> None:
    """Write the script as `views.sql` at the archive's root."""
    script = views_sql(store).encode()
    with store.writing("views.sql") as stream:
        stream.write(script)


def open_duckdb(root: str | Path) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection with the views over the archive at a folder or URL.

    Raises:
        ManifestError: A manifest cannot be read.
    """
    store = ArchiveStore(str(root))
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    store.register(connection)
    connection.execute(views_sql(store))
    return connection
