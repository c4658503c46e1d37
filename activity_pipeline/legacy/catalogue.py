"""What an application's catalogue says of its triggers and functions. Postgres 12 and later; only reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import dict_row

from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
_ROW, _BEFORE, _INSTEAD = 1, 2, 64
_EVENTS = {"insert": 4, "update": 16, "delete": 8, "truncate": 32}


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger, with all that is needed to make it again.

    Attributes:
        table_name: schema.table.
        relation: The same, quoted.
        name: Its name.
        kind: pg_trigger.tgtype, bits of timing, level and events.
        function: schema.function that it calls.
        definition: What pg_get_triggerdef returns.
        enabled: O fires in sessions, R while replicating, A in both, D never.
        comment: Its comment, if any.
        is_conditional: Whether it has a WHEN or a list of columns.
        is_of_extension: Whether it belongs to an extension, and cannot be dropped alone.
        extensions: Extensions that it was declared to depend on.
        inherited: Its copies on partitions: quoted relation, name, enabled.
    """

    table_name: str
    relation: str
    name: str
    kind: int
    function: str
    definition: str
    enabled: str
    comment: str | None = None
    is_conditional: bool = False
    is_of_extension: bool = False
    extensions: Sequence[str] = ()
    inherited: Sequence[Sequence[str]] = ()

    @property
    def key(self) -> str:
        """schema.table.trigger."""
        return f"{self.table_name}.{self.name}"

    @property
    def events(self) -> tuple[str, ...]:
        """What fires it."""
        return tuple(name for name, bit in _EVENTS.items() if self.kind & bit)

    @property
    def timing(self) -> str:
        """When it fires: before, after or instead of."""
        return "instead of" if self.kind & _INSTEAD else "before" if self.kind & _BEFORE else "after"

    @property
    def level(self) -> str:
        """Whether it fires for each row or each statement."""
        return "row" if self.kind & _ROW else "statement"

    @property
    def modes(self) -> frozenset[str]:
        """In which sessions it fires: those of applications, those that replicate."""
        return frozenset(
            {"O": ["origin"], "A": ["origin", "replica"], "R": ["replica"]}.get(self.enabled, [])
        )


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    Attributes:
        id: Its oid.
        name: schema.function; several may share it.
        language: What it is written in.
        text: Its definition; empty for what is compiled.
    """

    id: int
    name: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is.

    Attributes:
        triggers: By table and name.
        functions: By name.
        relations: schema.table of tables and views.
        references: Child and parent of each foreign key.
    """

    triggers: Sequence[Trigger]
    functions: Sequence[Function]
    relations: frozenset[str]
    references: Sequence[tuple[str, str]]


@contextlib.contextmanager
def reading(dsn: str) -> Iterator[Statements]:
    """Open a connection whose one transaction sees one moment and can change nothing.

    Raises:
        StoreError: Postgres does not answer.
    """
    with connect(dsn) as connection:
        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            yield connection


def read_triggers(connection: Statements, relation: str | None = None) -> list[Trigger]:
    """Return the triggers of a table, or of all tables outside the system's schemas, but our own.

    Their definitions name everything with its schema, whoever reads them later.

    Args:
        connection: To the application's database.
        relation: The table, quoted with its schema.
    """
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_SQL["qualify"])
        return [Trigger(**row) for row in cursor.execute(_SQL["triggers"], {"relation": relation})]


def read_catalogue(connection: Statements) -> Catalogue:
    """Read triggers, functions, tables and foreign keys."""
    with connection.cursor(row_factory=psycopg.rows.class_row(Function)) as cursor:
        functions = cursor.execute(_SQL["functions"]).fetchall()
    return Catalogue(
        triggers=read_triggers(connection),
        functions=functions,
        relations=frozenset(name for (name,) in connection.execute(_SQL["relations"])),
        references=[(child, parent) for child, parent in connection.execute(_SQL["references"])],
    )
