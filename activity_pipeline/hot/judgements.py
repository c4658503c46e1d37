"""What people say of anomalies: that they have looked at one, or want to hear of none for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A row of `activity_anomalies_daily`, and what people said of it.

    Attributes:
        muted: Number of a mute that covers it.
        acknowledged_by: Who has looked at it.
        note: What they found.
    """

    date: date
    hour: int | None
    kind: str
    source: str
    action: str
    user_id: str
    observed: float
    expected: float
    lower: float
    upper: float
    p_value: float
    severity: str
    sentence: str
    muted: int | None
    acknowledged_by: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Mute:
    """A row of `activity_anomaly_mutes`; see the comments of its columns."""

    id: int
    source: str
    action: str | None
    user_id: str
    kind: str | None
    until: datetime
    by: str
    reason: str
    since: datetime
    removed_at: datetime | None
    removed_by: str | None


def list_anomalies(connection: Statements, first: date, last: date) -> list[Anomaly]:
    """Return the anomalies of a range of days, muted and acknowledged ones too, in order."""
    with connection.cursor(row_factory=class_row(Anomaly)) as cursor:
        return cursor.execute(_SQL["anomalies"], {"first": first, "last": last}).fetchall()


def acknowledge(
    connection: Statements,
    day: date,
    source: str,
    action: str,
    *,
    user: str = "",
    kind: str | None,
    by: str,
    note: str,
) -> int:
    """Note that somebody has looked at anomalies of a day; return of how many.

    Raises:
        ActivityError: There is no such anomaly.
    """
    noted = connection.execute(
        _SQL["acknowledge"],
        {
            "day": day,
            "source": source,
            "action": action,
            "user": user,
            "kind": kind,
            "by": by,
            "note": note,
        },
    ).rowcount
    if not noted:
        subject = user and f"user {user}"
        raise ActivityError(f"{subject or source}{action and f'/{action}'} has no such anomaly on {day}")
    return noted


def mute(
    connection: Statements,
    source: str,
    *,
    action: str | None,
    user: str = "",
    kind: str | None,
    until: datetime,
    by: str,
    reason: str,
) -> Mute:
    """Mute anomalies of a source, or of a user, until an instant."""
    named = {
        "source": source, "action": action, "user": user, "kind": kind, "until": until, "by": by,
        "reason": reason,
    }  # fmt: skip
    with connection.cursor(row_factory=class_row(Mute)) as cursor:
        (muted,) = cursor.execute(_SQL["mute"], named).fetchall()
    return muted


def unmute(connection: Statements, number: int, *, by: str) -> Mute:
    """End a mute early.

    Raises:
        ActivityError: It is not in force.
    """
    with connection.cursor(row_factory=class_row(Mute)) as cursor:
        ended = cursor.execute(_SQL["unmute"], {"id": number, "by": by}).fetchone()
    if ended is None:
        raise ActivityError(f"mute {number} is not in force")
    return ended


def list_mutes(connection: Statements) -> list[Mute]:
    """Return the mutes in force, in order."""
    with connection.cursor(row_factory=class_row(Mute)) as cursor:
        return cursor.execute(_SQL["mutes"]).fetchall()
