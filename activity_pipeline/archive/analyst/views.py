"""DuckDB views over the archive, for analysts: the same in the command line, Python and any DuckDB.

    activity_logs              cold events, with their day as `date`
    activity_archive_days      the days, as their manifests describe them
    activity_metrics_daily, activity_metrics_hourly, activity_users_daily, activity_anomalies_daily, and
    whatever else lies in results/

They are published as a script, `views.sql`, and as a database that holds nothing but them,
`activity.duckdb`; both are replaced whole, so that whoever has the old one open keeps reading it.
Event files come out of the manifests, never of a glob.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import groupby
from pathlib import Path
from string import Template

import duckdb
import msgspec
import pyarrow.parquet as pq

from activity_pipeline.archive.analyst.comments import table_comments
from activity_pipeline.archive.analyst.results import result_files
from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.manifest import PACKED, DayEntry
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.settings import packaged

EVENTS = "activity_logs"
EVENTS_IN_POSTGRES = "activity_logs_current"
RESULTS = (
    "activity_metrics_daily",
    "activity_metrics_hourly",
    "activity_users_daily",
    "activity_anomalies_daily",
)
"""Result tables that have their view before they have a row."""

SCRIPT = "views.sql"
DATABASE = "activity.duckdb"

STORAGE_VERSION = "v1.0.0"
"""Format of the database file, older than the newest: DuckDB 1.5 opens it too."""

MANY_FILES = 400
"""Files of single days from which on a filter by timestamp should not open them all.

Bounds for each year cost a query over everything 10 ms a million rows, and save one over a few days
0.1 ms a file: more than a year's files are worth it.
"""

PUBLISHERS = 3
"""How often a publisher looks again, because another one may have written what it read earlier."""


def views_sql(store: ArchiveStore) -> str:
    """Return the script that makes the views, with the files that the manifests list right now.

    A view without files yet is empty and has its columns all the same.

    Raises:
        ManifestError: A manifest cannot be read.
    """
    entries = newest_entries(store)
    blocks = load_queries(str(packaged("sql") / "analyst" / "views.sql"))
    parts = [
        Template(blocks["root"]).substitute(root=_quoted(_root(store))),
        (packaged("sql") / "analyst" / "empty.sql").read_text().strip(),
    ]
    if branches := "\nunion all\n".join(_branches(blocks, sorted(files_of(entries.values())))):
        parts.append(Template(blocks[EVENTS]).substitute(branches=branches))
    parts += _comments(EVENTS, table_comments()[EVENTS_IN_POSTGRES], but="")
    results: dict[str, list[str]] = {table: [] for table in RESULTS}
    for table, files in (results | result_files(store)).items():
        known = table_comments().get(table, {})
        if files:
            parts.append(Template(blocks["result"]).substitute(table=table, files=_listed(files)))
            with store.fs.open(store.full(files[0]), "rb") as stream:
                columns = {"", *pq.read_schema(stream).names}
            known = {name: text for name, text in known.items() if name in columns}
        parts += _comments(table, known)
    parts.append(Template(blocks["activity_archive_days"]).substitute(days=_quoted(_described(entries))))
    return "\n\n".join([*parts, blocks["comments"]]) + "\n"


def publish_views(store: ArchiveStore) -> None:
    """Write the script and the database at the archive's root, where they are not up to date.

    Raises:
        ArchiveError: The archive cannot be read or written.
    """
    for _ in range(PUBLISHERS):
        script = views_sql(store)
        if script == _published(store):
            return
        with tempfile.TemporaryDirectory(prefix="activity-views-") as folder:
            path = Path(folder) / DATABASE
            with duckdb.connect(
                path, config={"storage_compatibility_version": STORAGE_VERSION}
            ) as connection:
                _make_views(store, connection, script)
            database = path.read_bytes()
        # The script comes last: with it, the database is there too.
        for name, content in ((DATABASE, database), (SCRIPT, script.encode())):
            with store.writing(name) as stream:
                stream.write(content)


def open_duckdb(root: str | Path) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection with the views over the archive at a folder or URL, as it is now.

    Raises:
        ManifestError: A manifest cannot be read.
    """
    store = ArchiveStore(str(root))
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    _make_views(store, connection, views_sql(store))
    return connection


def _make_views(store: ArchiveStore, connection: duckdb.DuckDBPyConnection, script: str) -> None:
    store.register(connection)
    connection.execute(f"set variable activity_root = {_quoted(_root(store))}")
    connection.execute(script)


def _root(store: ArchiveStore) -> str:
    return store.duckdb_path("").rstrip("/") + "/"


def _published(store: ArchiveStore) -> str | None:
    if store.exists(SCRIPT) and store.exists(DATABASE):
        return store.read(SCRIPT).decode()
    return None


def _branches(blocks: Mapping[str, str], paths: list[str]) -> Iterator[str]:
    """Write a query for the files of many days, and one, or one a year, for those of a single day."""
    packed = [path for path in paths if PACKED.fullmatch(path)]
    single = [path for path in paths if not PACKED.fullmatch(path)]
    if packed:
        yield Template(blocks["packed"]).substitute(files=_listed(packed))
    of_a_day = Template(blocks["of_a_day"])
    if len(single) <= MANY_FILES:
        if single:
            yield of_a_day.substitute(files=_listed(single))
        return
    for year, files in groupby(single, key=lambda path: int(path.partition("date=")[2][:4])):
        bounds = Template(blocks["of_a_year"]).substitute(first=date(year, 1, 1), end=date(year + 1, 1, 1))
        yield f"{of_a_day.substitute(files=_listed(list(files)))}\n{bounds}"


def _described(entries: Mapping[date, DayEntry]) -> str:
    days = [
        {
            "day": day,
            "generation": entry.generation,
            "rows": entry.row_count,
            "bytes": entry.size_bytes,
            "files": len(entry.files),
            "first_at": min((file.first_at for file in entry.files), default=None),
            "last_at": max((file.last_at for file in entry.files), default=None),
        }
        for day, entry in entries.items()
    ]
    return msgspec.json.encode(days).decode()


def _comments(view: str, texts: Mapping[str, str], *, but: str | None = None) -> list[str]:
    """Write what is known of a view and its columns, `but` for one name; the empty name is the view's own."""
    return [
        f"comment on {f'column {view}.{name}' if name else f'view {view}'} is {_quoted(text)};"
        for name, text in texts.items()
        if name != but
    ]


def _listed(paths: list[str]) -> str:
    return "[\n    " + ",\n    ".join(map(_quoted, paths)) + "\n]"


def _quoted(text: str) -> str:
    # A view cannot take parameters: what comes out of manifests and names is quoted instead.
    return "'" + text.replace("'", "''") + "'"
