"""Alerts as they are kept, each once for as long as it lasts, and the messages that tell of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

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
    told_at: datetime | None
    sent_at: datetime | None
    resolved_at: datetime | None
    deliveries: int
    failures: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `activity_alert_deliveries`; see the comments of its columns."""

    id: int
    key: str
    channel: str
    severity: Literal["info", "warning", "critical"]
    title: str
    body: str
    at: datetime
    tries: int
    due_at: datetime | None
    taken_at: datetime | None
    said: str


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


def set_out(
    connection: Statements, key: str, channels: Collection[str], *, severity: str, title: str, body: str
) -> None:
    """Write down a message to each of some channels, due at once."""
    named = {"key": key, "channels": list(channels), "severity": severity, "title": title, "body": body}
    with connection.transaction():
        connection.execute(_SQL["set_out"], named)
        connection.execute(_SQL["note_told"], {"key": key})


def give_up(connection: Statements, key: str, *, since: datetime) -> set[str]:
    """Give up what is still on its way; return the channels that took a message since an instant."""
    connection.execute(_SQL["give_up"], {"key": key})
    return {channel for (channel,) in connection.execute(_SQL["knowing"], {"key": key, "since": since})}


def claim_due(
    connection: Statements, channels: Collection[str], *, lease: timedelta, most: int
) -> list[Delivery]:
    """Take messages that are due, in order; nobody else does before the lease ends.

    Args:
        connection: Postgres.
        channels: Those to whom; messages to any other are given up.
        lease: For how long they are taken.
        most: Messages for each channel.
    """
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(_SQL["give_up_others"], {"channels": list(channels)})
        named = {"channels": list(channels), "lease": lease, "most": most}
        claimed = cursor.execute(_SQL["claim_due"], named).fetchall()
    return sorted(claimed, key=lambda each: each.id)


def note_reply(
    connection: Statements, delivery: int, *, taken: bool, said: str, pause: timedelta | None
) -> None:
    """Note what became of an attempt.

    Args:
        connection: Postgres.
        delivery: Number of the message.
        taken: Whether the channel took it.
        said: Why not.
        pause: When to try again where it was not taken; None: it is given up.
    """
    named = {"id": delivery, "taken": taken, "said": said, "pause": pause}
    connection.execute(_SQL["note_reply"], named)


def forget(connection: Statements) -> None:
    """Forget messages of long ago."""
    connection.execute(_SQL["forget"])


def list_alerts(connection: Statements) -> list[KeptAlert]:
    """Return what lasts, and what was over within the last week, newest first."""
    with connection.cursor(row_factory=class_row(KeptAlert)) as cursor:
        return cursor.execute(_SQL["list"]).fetchall()


def list_deliveries(connection: Statements) -> list[Delivery]:
    """Return the messages of the last week, newest first."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(_SQL["deliveries"]).fetchall()
