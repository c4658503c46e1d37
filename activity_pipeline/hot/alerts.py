"""Alerts as they are kept: each once for as long as it lasts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class KeptAlert:
    """A row of `activity_alerts`; see the comments of its columns."""

    key: str
    rule: str
    severity: str
    title: str
    body: str
    first_at: datetime
    last_at: datetime
    sent_at: datetime | None
    resolved_at: datetime | None
    deliveries: int
    failures: int


def keep(connection: Statements, key: str, *, rule: str, severity: str, title: str, body: str) -> KeptAlert:
    """Note that something is so; return what is known of it. What was over begins anew."""
    named = {"key": key, "rule": rule, "severity": severity, "title": title, "body": body}
    with connection.cursor(row_factory=class_row(KeptAlert)) as cursor:
        (kept,) = cursor.execute(_SQL["keep"], named).fetchall()
    return kept


def resolve_others(connection: Statements, keys: Collection[str]) -> list[KeptAlert]:
    """Note that all that lasted is over, but for some keys; return what was over now."""
    with connection.cursor(row_factory=class_row(KeptAlert)) as cursor:
        return cursor.execute(_SQL["resolve"], {"keys": list(keys)}).fetchall()


def note_sent(connection: Statements, key: str) -> None:
    """Note that a channel took it."""
    connection.execute(_SQL["note_sent"], {"key": key})


def note_failed(connection: Statements, key: str) -> None:
    """Note that no channel took it."""
    connection.execute(_SQL["note_failed"], {"key": key})


def list_alerts(connection: Statements) -> list[KeptAlert]:
    """Return what lasts, and what was over within the last week, newest first."""
    with connection.cursor(row_factory=class_row(KeptAlert)) as cursor:
        return cursor.execute(_SQL["list"]).fetchall()
