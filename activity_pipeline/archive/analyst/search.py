"""Questions about events in Parquet, by a DuckDB of bounded size that outlives them.

What Postgres alone understands exactly is asked of two functions, on rows that a cheap condition has
left: containment of metadata (`events.filters.contains`), and words (Postgres itself, by `Judge`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from activity_pipeline.archive.chain.index import read_manifests
from activity_pipeline.archive.chain.manifest import PACKED, DayEntry, Manifest
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import BusyError
from activity_pipeline.events.filters import Filters, contains
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.activities import DayPlace, Key, Row, Window
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
MEMORY_LIMIT = "512MB"
"""What all questions about cold days hold together; what does not fit goes to a folder of their own."""

AT_ONCE = 2
"""Questions about cold days that run at the same time: each one uses all cores as it is."""

WAIT_S = 10.0
"""Longest that a further one waits."""

MOST_MANIFESTS = 10_000
"""Manifests that are kept, a kilobyte each: they never change."""

LATE_ROWS = 1_000
"""Rows of a page of which DuckDB fetches the wide columns after it knows which rows those are."""

Judge = Callable[[Sequence[tuple[str, str | None]]], Sequence[bool]]
"""Tells of actions and descriptions (JSON text) whether they have the words that a question asks for."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that a question asks for.

    Attributes:
        stems: How each of them begins, in lower case.
        judge: Has the last word.
    """

    stems: Sequence[str]
    judge: Judge


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and by whom.

    Attributes:
        filters: What events must be like; their instants are in a Window.
        running: Lets a block be ended by calling what it is given, from another thread.
        words: Needed where a text is asked for.
    """

    filters: Filters
    running: Callable[[Callable[[], None]], contextlib.AbstractContextManager[None]]
    words: Words | None = None


class ColdSearch:
    """Answers questions about archived days. For many threads."""

    def __init__(
        self, store: ArchiveStore, *, memory_limit: str = MEMORY_LIMIT, at_once: int = AT_ONCE
    ) -> None:
        """Prepare; DuckDB is opened with the first question."""
        self._store = store
        self._memory_limit = memory_limit
        self._turns = threading.BoundedSemaphore(at_once)
        self._opening = threading.Lock()
        self._closing = contextlib.ExitStack()
        self._database: duckdb.DuckDBPyConnection | None = None
        self._manifests: dict[str, Manifest] = {}
        self._judges: dict[int, Judge] = {}
        self._numbers = itertools.count()

    def close(self) -> None:
        """Give back what DuckDB holds."""
        self._closing.close()
        self._database = None

    def entries(self, places: Sequence[DayPlace]) -> list[DayEntry]:
        """Return the manifests' entries of days.

        Raises:
            ArchiveError: A manifest cannot be read.
        """
        wanted = {place.manifest: None for place in places if place.manifest}
        if missing := [name for name in wanted if name not in self._manifests]:
            for manifest in read_manifests(self._store, missing):
                self._manifests[manifest.name] = manifest
        entries = [
            self._manifests[place.manifest].entry(place.day) for place in places if place.manifest is not None
        ]
        for name in list(self._manifests)[: max(0, len(self._manifests) - MOST_MANIFESTS)]:
            self._manifests.pop(name, None)
        return entries

    def rows(
        self, places: Sequence[DayPlace], question: Question, window: Window, limit: int
    ) -> list[tuple[Key, Row]]:
        """Return the first events of a window.

        Args:
            places: The days, those alone that are cold.
            question: What is asked.
            window: Which part of time.
            limit: How many.

        Raises:
            ArchiveError: A file or manifest cannot be read.
            BusyError: Too many others ask.
        """
        found = self._ask(places, question, window, limit, ("rows", window.order, "limit"))
        rows = [tuple(row[name] for name in FIELDS) for row in found.to_pylist()]
        return [(Key(row[1], row[0]), row) for row in rows]

    def count(self, places: Sequence[DayPlace], question: Question, window: Window, limit: int) -> int:
        """Count the events of a window, up to a limit; raises what `rows` does."""
        found = self._ask(places, question, window, limit, ("count",))
        return int(found.column(0)[0].as_py()) if len(found) else 0

    def count_values(
        self, places: Sequence[DayPlace], question: Question, window: Window, limit: int
    ) -> list[tuple[str, str, int]]:
        """Count field, value and events, as hot.activities.count_values does; raises what `rows` does."""
        found = self._ask(places, question, window, limit, ("facets",))
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def _ask(
        self,
        places: Sequence[DayPlace],
        question: Question,
        window: Window,
        limit: int,
        blocks: Sequence[str],
    ) -> pa.Table:
        retired = {place.day: place.retired_generation for place in places}
        files = {
            file.path
            for entry in self.entries(places)
            for file in entry.up_to(retired[entry.day])
            if file.first_at < window.until and file.last_at >= window.since
        }
        if not files:
            return pa.table({})
        conditions, parameters = _conditions(question, window.narrowed())
        if any(PACKED.fullmatch(path) for path in files):
            conditions.append("days")
            parameters["days"] = sorted(retired)
        parameters |= {"files": [self._store.duckdb_path(path) for path in sorted(files)], "limit": limit}
        query = "\n".join(_SQL[block] for block in ("found", *conditions, *blocks))
        with self._turn(question) as cursor, self._judging(question, parameters), self._store.querying():
            return cursor.sql(query, params=parameters).to_arrow_table()

    @contextlib.contextmanager
    def _turn(self, question: Question) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor when it is this question's turn."""
        if not self._turns.acquire(timeout=WAIT_S):
            raise BusyError
        try:
            with self._open().cursor() as cursor, question.running(cursor.interrupt):
                yield cursor
        finally:
            self._turns.release()

    @contextlib.contextmanager
    def _judging(self, question: Question, parameters: dict[str, Any]) -> Iterator[None]:
        if question.words is None:
            yield
            return
        number = next(self._numbers)
        self._judges[number] = _remembering(question.words.judge)
        parameters["question"] = number
        try:
            yield
        finally:
            del self._judges[number]

    def _open(self) -> duckdb.DuckDBPyConnection:
        with self._opening:
            if self._database is None:
                folder = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="activity-query-"))
                config: dict[str, str | bool | int | float | list[str]] = {
                    "memory_limit": self._memory_limit,
                    "temp_directory": folder,
                    "threads": os.cpu_count() or 1,
                    "late_materialization_max_rows": LATE_ROWS,
                }
                database = self._closing.enter_context(duckdb.connect(":memory:", config=config))
                database.execute(_SQL["prepare"])
                self._store.register(database)
                for name, function, types in self._functions():
                    database.create_function(
                        name,
                        function,
                        types,
                        "boolean",
                        type=PythonUDFType.ARROW,
                        null_handling=FunctionNullHandling.SPECIAL,
                    )
                self._database = database
            return self._database

    def _functions(self) -> list[tuple[str, Callable[..., pa.Array], list[Any]]]:
        return [
            ("activity_contains", _contained, ["varchar", "varchar"]),
            ("activity_matches", self._match, ["varchar", "varchar", "integer"]),
        ]

    def _match(self, actions: pa.Array, descriptions: pa.Array, questions: pa.Array) -> pa.Array:
        if not len(actions):
            return pa.array([], pa.bool_())
        judge = self._judges[questions[0].as_py()]
        texts = list(zip(actions.to_pylist(), descriptions.to_pylist(), strict=True))
        return pa.array(judge(texts), pa.bool_())


def _remembering(judge: Judge) -> Judge:
    """Return the judge with a memory: texts repeat."""
    known: dict[tuple[str, str | None], bool] = {}
    lock = threading.Lock()

    def tell(texts: Sequence[tuple[str, str | None]]) -> list[bool]:
        with lock:
            if len(known) > 100_000:
                known.clear()
            if new := [text for text in dict.fromkeys(texts) if text not in known]:
                known.update(zip(new, judge(new), strict=True))
            return [known[text] for text in texts]

    return tell


@lru_cache(maxsize=64)
def _exactly(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _contained(wholes: pa.Array, parts: pa.Array) -> pa.Array:
    return pa.array(
        [
            whole is not None and contains(json.loads(whole, parse_float=Decimal), _exactly(part))
            for whole, part in zip(wholes.to_pylist(), parts.to_pylist(), strict=True)
        ],
        pa.bool_(),
    )


def marks_of(needle: Any) -> list[str]:
    """Return what the text of any metadata has that contains the needle: its names and texts, as JSON."""
    if isinstance(needle, Mapping):
        names = [json.dumps(name, ensure_ascii=False) for name in needle]
        return [*names, *(mark for value in needle.values() for mark in marks_of(value))]
    if isinstance(needle, Sequence) and not isinstance(needle, str):
        return [mark for value in needle for mark in marks_of(value)]
    return [json.dumps(needle, ensure_ascii=False)] if isinstance(needle, str) else []


def _conditions(question: Question, window: Window) -> tuple[list[str], dict[str, Any]]:
    """Return the blocks of what a question asks for, and the values of their parameters."""
    asked = question.filters.conditions()
    blocks = list(asked)
    parameters = {**asked, "since": window.since, "until": window.until}
    if "metadata" in asked:
        parameters["marks"] = marks_of(question.filters.metadata)
    if "users" in asked:
        parameters["users"] = [str(user) for user in asked["users"]]
    if "text" in asked:
        del parameters["text"]
        parameters["stems"] = list(question.words.stems) if question.words else []
    if window.after is not None:
        blocks.append("before" if window.order == "newest" else "after")
        parameters |= {"at": window.after.timestamp, "after_id": window.after.id}
    return blocks, parameters
