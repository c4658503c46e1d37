"""Whether Postgres and the archive tell the same story."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activity_pipeline.archive.chain.index import newest_entries
from activity_pipeline.archive.chain.manifest import file_path
from activity_pipeline.archive.chain.verify import Verification, verify
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot.chain import last_manifest
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.days import list_days


def disagreements(statements: Statements, store: ArchiveStore) -> list[dict[str, Any]]:
    """Compare each day's record in Postgres with its newest manifest and that manifest's files.

    Returns:
        One row per day that differs: day, what, postgres, archive.
    """
    entries = newest_entries(store)
    days = {day.day: day for day in list_days(statements)}
    sizes = store.sizes("events")
    found: list[dict[str, Any]] = []

    def differs(day: Any, what: str, postgres: object, archive: object) -> None:
        if postgres != archive:
            found.append({"day": day, "what": what, "postgres": postgres, "archive": archive})

    for day in sorted({*entries, *(day.day for day in days.values() if day.generation)}):
        known = days.get(day)
        entry = entries.get(day)
        if known is None or entry is None:
            differs(day, "generation", known and known.generation, entry and entry.generation)
            continue
        in_progress = known.state == "frozen" and entry.generation == known.generation + 1
        if not in_progress:
            differs(day, "generation", known.generation, entry.generation)
        rows = sum(file.row_count for file in entry.up_to(known.retired_generation))
        differs(day, "rows", known.archived_rows, rows)
        for file in entry.files:
            differs(day, f"size of {file.path}", file.size_bytes, sizes.get(file.path))
    return found


def verify_beside(
    statements: Statements,
    store: ArchiveStore,
    public: Sequence[Ed25519PublicKey],
    *,
    only: Collection[date] | None = None,
    deep: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Verify an archive beside the database that it came out of, which knows more than the archive.

    The chain must go through the head that Postgres knows, so that an older copy of the archive is
    found too; and the file of a day that is on its way may be there before its manifest.

    Args:
        statements: Postgres.
        store: The archive.
        public: Keys that are trusted.
        only: Days whose files are looked at; all of them by default.
        deep: Read every row of these files back.
        progress: Told of files done and files in all.
    """
    head = last_manifest(statements)
    return verify(
        store,
        only=only,
        pending=[
            file_path(day.day, day.generation + 1) for day in list_days(statements) if day.state == "frozen"
        ],
        deep=deep,
        public=public,
        noted=head.sha256 if head else None,
        progress=progress,
    )
