"""Forward and back through sql/migrations; sql/functions are put in anew after each step forward.

A migration is `NNNN_name.sql` with `NNNN_name.rollback.sql` beside it. All that are due run in one
transaction with their rows in `activity_migrations`. A file that changed after it ran is an error. What the
roles may do is said anew each time, so that roles which were made by hand meanwhile get it, too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from activity_pipeline.errors import MigrationError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.settings import packaged

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema.

    Attributes:
        version: NNNN as a number.
        name: The file's name without ending.
        forward: SQL that goes up.
        back: SQL that goes down again.
    """

    version: int
    name: str
    forward: LiteralString
    back: LiteralString

    @property
    def is_outbox(self) -> bool:
        """Whether the step is about the outbox, which may live in a database without the rest."""
        return self.name.partition("_")[2].startswith("outbox")

    @property
    def sha256(self) -> str:
        """Hash of the way forward."""
        return hashlib.sha256(self.forward.encode()).hexdigest()


def available() -> list[Migration]:
    """Return the migrations of this release, in order."""
    folder = packaged("sql") / "migrations"
    return [
        Migration(int(path.name[:4]), path.stem, _text(path), _text(path.with_suffix(".rollback.sql")))
        for path in sorted(folder.glob("[0-9]*.sql"))
        if not path.stem.endswith(".rollback")
    ]


def migrate(connection: Statements, *, to: int | None = None) -> list[str]:
    """Bring the schema to version `to` (default: the newest); return the names of the steps taken.

    Raises:
        MigrationError: A step that ran is not in this release or was changed, there is no version
            `to`, or a step failed. Whatever it is, the schema stays as it was.
    """
    known = {migration.version: migration for migration in available()}
    target = max(known) if to is None else to
    if target and target not in known:
        raise MigrationError(f"there is no version {target}: the newest is {max(known)}")
    taken = []
    with connection.transaction():
        connection.execute(_SQL["lock"])
        connection.execute(_SQL["create_table"])
        applied = _applied(connection, known)
        for version in sorted(applied, reverse=True):
            if version > target:
                _step(connection, known[version].back, known[version], _SQL["forget"])
                taken.append(f"{known[version].name} (back)")
        for version in sorted(known):
            if version <= target and version not in applied:
                _step(connection, known[version].forward, known[version], _SQL["remember"])
                taken.append(known[version].name)
        _put_functions(connection, keep=target > 0)
        if target > 0:
            connection.execute(_SQL["grant_roles"])
    return taken


def migrate_outbox(connection: Statements) -> list[str]:
    """Bring the outbox alone up to date, in the database of an application; return the steps taken.

    Raises:
        MigrationError: As `migrate`.
    """
    known = {migration.version: migration for migration in available()}
    with connection.transaction():
        connection.execute(_SQL["lock"])
        connection.execute(_SQL["create_table"])
        applied = _applied(connection, known)
        due = [step for version, step in known.items() if step.is_outbox and version not in applied]
        for step in due:
            _step(connection, step.forward, step, _SQL["remember"])
    return [step.name for step in due]


def pending(connection: Statements) -> list[str]:
    """Return the names of the migrations that have not run here; changes nothing."""
    row = connection.execute(_SQL["exists"]).fetchone()
    known = {migration.version: migration for migration in available()}
    applied = _applied(connection, known) if row and row[0] else set()
    return [migration.name for version, migration in known.items() if version not in applied]


def _applied(connection: Statements, known: dict[int, Migration]) -> set[int]:
    applied = set()
    for version, name, sha256 in connection.execute(_SQL["list"]):
        if version not in known:
            raise MigrationError(f"{name} ran here but is not in this release: use the release that has it")
        if known[version].sha256 != sha256:
            raise MigrationError(f"{name} was changed after it ran here")
        applied.add(version)
    return applied


def _step(connection: Statements, sql: LiteralString, migration: Migration, note: LiteralString) -> None:
    try:
        connection.execute(sql)
        connection.execute(
            note, {"version": migration.version, "name": migration.name, "sha256": migration.sha256}
        )
    except psycopg.Error as error:
        raise MigrationError(f"{migration.name} failed: {error}") from error


def _put_functions(connection: Statements, *, keep: bool) -> None:
    for path in sorted((packaged("sql") / "functions").glob("*.sql")):
        if keep:
            connection.execute(_text(path))
        else:
            connection.execute(
                psycopg.sql.SQL("drop function if exists {}").format(
                    psycopg.sql.Identifier("public", path.stem)
                )
            )


def _text(path: Path) -> LiteralString:
    return path.read_text()
