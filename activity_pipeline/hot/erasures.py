"""Erasures as this database knows them: under way or done, never whom they are about in clear."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from psycopg.rows import class_row

from activity_pipeline.events.subject import Kind, Subject
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.subjects import Found, Place

_SQL = load_queries(__file__)
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Erasure:
    """A row of `activity_erasures`; see the comments of its columns."""

    id: UUID
    kind: Kind
    salt: str
    subject_sha256: str
    reason: str
    requested_by: str
    requested_at: datetime
    receipt: str
    finished_at: datetime | None


def begin(connection: Statements, subject: Subject, *, reason: str, by: str, receipts: str) -> Erasure:
    """Note that a subject is about to be erased.

    Args:
        connection: Any.
        subject: Whom; only what proves it is written down.
        reason: Why.
        by: On whose word.
        receipts: Folder of the receipt.
    """
    erasure, salt = uuid4(), secrets.token_hex(_SALT_BYTES)
    (begun,) = _erasures(
        connection,
        "begin",
        {
            "id": erasure,
            "kind": subject.kind,
            "salt": salt,
            "subject_sha256": subject.proof(salt),
            "reason": reason,
            "requested_by": by,
            "receipt": f"{receipts}/{erasure}.json",
        },
    )
    return begun


def under_way(connection: Statements, subject: Subject) -> Erasure | None:
    """Return a subject's erasure that a crash has interrupted."""
    unfinished = list_erasures(connection, unfinished=True)
    return next((each for each in unfinished if each.subject_sha256 == subject.proof(each.salt)), None)


def list_erasures(connection: Statements, *, unfinished: bool = False) -> list[Erasure]:
    """Return all erasures, oldest first, or those alone that are not finished."""
    return _erasures(connection, "list", {"unfinished": unfinished})


def published(connection: Statements) -> list[Erasure]:
    """Return those that are not finished though their manifest is part of the chain."""
    return _erasures(connection, "published", {})


def counts(connection: Statements, erasure: UUID) -> list[Found]:
    """Return what an erasure has taken so far."""
    return [Found(*row) for row in connection.execute(_SQL["counts"], {"id": erasure})]


def totals(connection: Statements) -> dict[UUID, dict[Place, int]]:
    """Return what each erasure has taken, by place."""
    by_erasure: dict[UUID, dict[Place, int]] = defaultdict(dict)
    for erasure, place, rows in connection.execute(_SQL["totals"]):
        by_erasure[erasure][place] = rows
    return by_erasure


def finish(connection: Statements, erasure: UUID) -> None:
    """Note that nothing is left to do."""
    connection.execute(_SQL["finish"], {"id": erasure})


def _erasures(connection: Statements, query: str, parameters: dict[str, object]) -> list[Erasure]:
    with connection.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
