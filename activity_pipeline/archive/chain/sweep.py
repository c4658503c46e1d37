"""Files that no day lists: leavings of what replaced them, or of a crash."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.manifest import DayEntry
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import erasures, subjects
from activity_pipeline.hot.connection import Statements


def sweep(
    statements: Statements, store: ArchiveStore, entries: Iterable[DayEntry], *, grace_s: float
) -> list[str]:
    """Delete the event files that no day lists, unless a compaction was less than `grace_s` ago.

    Files that were never finished go, too. The chain must be held: then nobody is about to list them.
    """
    if hot_chain.compacted_within(statements, grace_s):
        return []
    listed = set(files_of(entries))
    strays = [path for path in store.find("events") if path not in listed and _is_ours(path)]
    for path in strays:
        store.remove(path)
    return strays


def _is_ours(path: str) -> bool:
    name = PurePosixPath(path).name
    return name.endswith(".parquet") or (name.startswith(".") and ".parquet." in name)


def finish_erasure(statements: Statements, store: ArchiveStore, erasure: erasures.Erasure) -> None:
    """Remove what an erasure left on disk, and note that it is done.

    Old files go at once, whoever reads them: what a compaction left may hold the same rows.
    """
    sweep(statements, store, newest_entries(store).values(), grace_s=0)
    subjects.vacuum(statements, erasure.id)
    erasures.finish(statements, erasure.id)


def finish_published(statements: Statements, store: ArchiveStore) -> None:
    """Finish the erasures that a crash interrupted after their manifest was published."""
    for erasure in erasures.published(statements):
        finish_erasure(statements, store, erasure)
