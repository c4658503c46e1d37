"""What is compared: which tables, from which audit tables, and when their triggers were not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from psycopg import sql

from activity_pipeline.errors import LegacyError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.catalogue import read_catalogue
from activity_pipeline.legacy.compare.columns import AuditColumns, find_columns
from activity_pipeline.legacy.cutover.steps import is_installed
from activity_pipeline.legacy.inventory.judge import judge
from activity_pipeline.legacy.inventory.overrides import CompareRules, Overrides

_SQL = load_queries(__file__)
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared.

    Attributes:
        audits: The audit tables.
        tables: schema.table of those whose changes they tell, now or before a cutover.
        absent: When the triggers of a table were not there.
        rules: What a person says of it.
    """

    audits: Sequence[AuditColumns]
    tables: frozenset[str]
    absent: Mapping[str, Sequence[Span]]
    rules: CompareRules

    def resolve(self, name: str) -> str:
        """Return schema.table for a name without schema, where one table alone has it."""
        if name in self.tables or "." in name:
            return name
        found = [each for each in self.tables if each.partition(".")[2] == name]
        return found[0] if len(found) == 1 else name

    def passes(self, table_name: str, column: str) -> bool:
        """Whether a column is not to be compared."""
        name = f"{table_name}.{column}"
        return any(fnmatchcase(name, pattern) for pattern in self.rules.ignored_columns)

    def is_audited(self, table_name: str, at: datetime) -> bool:
        """Whether triggers told the changes of a table at an instant."""
        spans = self.absent.get(table_name, ())
        return table_name in self.tables and not any(first <= at <= last for first, last in spans)


def read_scope(application: Statements, overrides: Overrides) -> Scope:
    """Find out what there is to compare.

    Raises:
        LegacyError: No trigger writes an audit table, or its columns cannot be told.
    """
    judged, names = judge(read_catalogue(application), overrides)
    writing = {each.trigger.table_name for each in judged if set(each.writes) & set(names)}
    writing |= {each.trigger.table_name for each in judged if each.verdict == "audit"}
    absent = _absent(application.execute(_SQL["steps"])) if is_installed(application) else {}
    if not names:
        names = tuple(overrides.audit_tables)
    if not names:
        raise LegacyError("no trigger writes an audit table: name it in the override file, as audit_tables")
    audits = [find_columns(name, _columns(application, name), overrides.compare.columns) for name in names]
    return Scope(audits, frozenset(writing | set(absent)), absent, overrides.compare)


def _columns(application: Statements, name: str) -> list[str]:
    relation = sql.Identifier(*name.split(".", 1)).as_string(application)
    return [column for (column,) in application.execute(_SQL["columns"], {"relation": relation})]


def _absent(steps: Iterable[tuple[str, str, str, datetime]]) -> dict[str, list[Span]]:
    """Return when each table was without some of its triggers."""
    spans: dict[str, list[Span]] = {}
    gone: dict[str, set[str]] = {}
    for table_name, trigger_name, action, at in steps:
        of_it = gone.setdefault(table_name, set())
        if action == "drop":
            if not of_it:
                spans.setdefault(table_name, []).append((at, datetime.max.replace(tzinfo=at.tzinfo)))
            of_it.add(trigger_name)
        else:
            of_it.discard(trigger_name)
            if not of_it and spans.get(table_name):
                spans[table_name][-1] = (spans[table_name][-1][0], at)
    return spans


def begun(application: Statements) -> datetime:
    """Return when the oldest transaction that writes has begun; now where there is none."""
    row = application.execute(_SQL["begun"]).fetchone()
    if row is None:
        raise AssertionError("an aggregate without group by returns one row")
    at: datetime = row[0]
    return at
