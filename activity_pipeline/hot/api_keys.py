"""Keys of the HTTP API as Postgres keeps them: never the key itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import class_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What is known of a key when it is made; see the comments of the columns of `activity_api_keys`."""

    prefix: str
    name: str
    secret_sha256: bytes
    scopes: Collection[Scope]
    sources: Collection[str] | None = None
    user_id: UUID | None = None
    requests_per_s: float
    burst: int
    created_by: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(NewKey):
    """A row of `activity_api_keys`."""

    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def opens_at(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def add_key(connection: Statements, key: NewKey) -> ApiKey:
    """Store a new key."""
    return _rows(
        connection,
        "add",
        {
            "prefix": key.prefix,
            "name": key.name,
            "secret_sha256": key.secret_sha256,
            "scopes": list(key.scopes),
            "sources": None if key.sources is None else list(key.sources),
            "user_id": key.user_id,
            "requests_per_s": key.requests_per_s,
            "burst": key.burst,
            "created_by": key.created_by,
            "expires_at": key.expires_at,
        },
    )[0]


def list_keys(connection: Statements, *, ended: bool = False) -> list[ApiKey]:
    """Return the keys that open something, oldest first; with `ended` the others, too."""
    return _rows(connection, "list", {"ended": ended})


def revoke_key(connection: Statements, prefix: str) -> ApiKey | None:
    """Take a key back; return it, None where there is no such key. Once more changes nothing."""
    return next(iter(_rows(connection, "revoke", {"prefix": prefix})), None)


def note_use(connection: Statements, prefixes: Collection[str]) -> None:
    """Note that keys were used just now, each once a minute at most; a reader may do this."""
    with connection.transaction():
        connection.execute(_SQL["write"])
        connection.execute(_SQL["note_use"], {"prefixes": list(prefixes)})


def _rows(connection: Statements, query: str, parameters: dict[str, Any]) -> list[ApiKey]:
    with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
