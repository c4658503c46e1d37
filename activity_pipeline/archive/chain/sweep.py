"""Files that no day lists: leavings of what replaced them, or of a crash."""

from __future__ import annotations

from collections.abc import Iterable

from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.manifest import FOLDER, DayEntry
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import erasures, subjects
from activity_pipeline.hot.connection import Statements

_WRITTEN_BY_OPERATIONS = ("events", FOLDER, "receipts")
"""Folders that only who holds the chain writes to; result tables and views have writers of their own."""


def sweep(
    statements: Statements, store: ArchiveStore, entries: Iterable[DayEntry], *, grace_s: float
) -> list[str]:
    """Delete the event files that no day lists, unless a compaction was less than `grace_s` ago.

    What killed writers have left half written goes at once: nobody reads it, and nobody is writing it.
    The chain must be held, with no export half done: then nobody is about to list them.
    """
    for folder in _WRITTEN_BY_OPERATIONS:
        store.clean(folder, grace_s=0)
    if hot_chain.compacted_within(statements, grace_s):
        return []
    listed = files_of(entries)
    strays = [path for path in store.find("events") if path.endswith(".parquet") and path not in listed]
    for path in strays:
        store.remove(path)
    return strays


def finish_erasure(statements: Statements, store: ArchiveStore, erasure: erasures.Erasure) -> None:
    """Remove what an erasure left on disk, and note that it is done.

    Old files go at once, whoever reads them: what a compaction left may hold the same rows. Whoever does
    not own the tables leaves it unfinished, for the owner to run the erasure again.
    """
    sweep(statements, store, newest_entries(store).values(), grace_s=0)
    if subjects.vacuum(statements, erasure.id):
        erasures.finish(statements, erasure.id)


def finish_published(statements: Statements, store: ArchiveStore) -> None:
    """Finish the erasures that a crash interrupted after their manifest was published."""
    for erasure in erasures.published(statements):
        finish_erasure(statements, store, erasure)
