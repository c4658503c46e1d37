"""A day's way from Postgres to Parquet, in steps that a crash cannot tear.

freeze    new events of the day go to its next generation
write     the frozen rows to a new file, fsynced
verify    the file is read back; its content hash must equal Postgres's (the gate, first time)
publish   the manifest, chained to the one before it; from here on the file is the archive
retire    the gate a second time, then the rows leave Postgres in one short lock

A day that fails stays where it is, frozen or exported, and is named at the end; the others go on.

crash after   what it leaves                    what the next run does
freeze        a frozen day                      goes on with the write
write         a file that no manifest lists     writes it anew under the same name
publish       a manifest that Postgres does     takes it first and as it is, once its content
              not know: the end of the chain    has passed the gate
mark          an exported day                   retires it
retire        nothing: it is one transaction    -
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.days.bad import BadDays
from activity_pipeline.archive.days.export import ArchivedDay, export_days
from activity_pipeline.archive.days.retire import retire_days
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot.connection import BulkConnection, Statements


def archive_days(
    statements: Statements,
    bulk: BulkConnection,
    store: ArchiveStore,
    days: Sequence[date],
    signer: Signer | None = None,
) -> list[ArchivedDay]:
    """Export days and retire them, and those that an earlier run left exported; returns the exported.

    A day that does not pass the gate keeps no other. See `export_days` and `retire_days`.
    """
    bad = BadDays()
    exported = list(export_days(statements, bulk, store, days, signer, bad))
    retire_days(statements, store, sorted({*days, *(each.day for each in exported)}), bad)
    bad.check()
    return exported
