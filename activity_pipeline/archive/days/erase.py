"""Erasure: the events of one user or entity leave every place that can be rewritten, and a receipt stays.

find      what there is, and whether a legal hold forbids it; nothing has changed until here
retire    days that are in Parquet and still in Postgres leave it, so that each row is in one place
begin     the erasure is noted, with a salted hash in the place of the subject
delete    rows and dead letters in Postgres, with their ledger, in one transaction
write     files that hold rows are written anew without them, one by one; what was kept and what was
          taken must be together what the manifests say
receipt   what was taken from where, signed like the manifests
publish   one manifest for all days that changed
note      the ledger counts the rows as erased, and what was computed from their days is out of date
results   what was counted of a user by name goes; a computation under way is waited for
sweep     files that no day lists go at once, and Postgres vacuums the tables that lost rows

crash after   what it leaves                          what finishes it
begin         an erasure under way                    the same command
delete        one that Postgres is through with       the same command: what was counted stays counted
write         files that no manifest lists            the same command overwrites them, or sweeps them away
receipt       a receipt that no manifest names        the same command writes it again
publish       a manifest that Postgres does not       the next operation on the archive notes it and sweeps
              know: the end of the chain
note          files that hold erased rows             the next operation on the archive sweeps them away
              counts of the user                      the next computation of the days, which are out of date
sweep         an erasure that is not noted as done    the next operation on the archive

Before the publish nobody but the same command can go on, because nobody else knows the subject:
`list_erasures(unfinished=True)` tells that one waits for it.

What had not arrived yet when the erasure began is named, not erased: drain it and erase again. There
are no tombstones: an event that is delivered once more, from a producer's retry, a spool or a Redis
that was restored, is a new one and comes back. Metadata is not searched: an event of somebody else
whose metadata mentions a user is not about him, and stays; the receipt says that there may be some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb

from activity_pipeline.archive.analyst.results import erase_user_from_results
from activity_pipeline.archive.chain.manifest import DataFile
from activity_pipeline.archive.chain.publish import Chain, left_by_a_crash, open_chain
from activity_pipeline.archive.chain.receipt import (
    FOLDER,
    FORMAT,
    REMAINS,
    Proof,
    Receipt,
    Replaced,
    Taken,
    Waiting,
)
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.chain.sweep import finish_erasure
from activity_pipeline.archive.days.find import Findings, find
from activity_pipeline.archive.days.retire import retire_days
from activity_pipeline.archive.days.rewrite import Rewrite, rewrite
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import days as hot
from activity_pipeline.hot import erasures, results, subjects
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.holds import settled
from activity_pipeline.hot.subjects import Found


@dataclass(frozen=True, slots=True)
class Request:
    """Who is to be erased.

    Attributes:
        subject: Whom.
        reason: Why; must not name the subject.
        by: On whose word; must not name the subject either.
    """

    subject: Subject
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took, or what it would take.

    Attributes:
        found: Events by place and day, those of an attempt that a crash ended included.
        files: Files of the archive that held some of them.
        waiting: What had not arrived yet.
        receipt: Path of the receipt; none where there was nothing, or nothing was done.
    """

    found: list[Found] = field(default_factory=list)
    files: list[DataFile] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    receipt: str | None = None


Look = Callable[[Subject], list[Waiting]]
"""Says what waits for the ingest (days/waiting.py)."""


def preview(statements: Statements, store: ArchiveStore, subject: Subject, look: Look) -> Erased:
    """Tell what an erasure would take; changes nothing.

    Raises:
        HoldError: It would be refused.
        ArchiveError: An export is half done.
    """
    left = [each for each in left_by_a_crash(statements, store) if each.manifest.operation == "export"]
    Chain(store, None, half_done=left).must_be_whole()
    waiting = look(subject)
    with duckdb.connect(":memory:") as connection:
        findings = find(statements, store, connection, subject)
    return Erased(findings.found, findings.files, [*waiting, *_unreadable(findings)])


def erase(
    statements: Statements,
    store: ArchiveStore,
    request: Request,
    look: Look,
    signer: Signer | None = None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Erased:
    """Erase a subject's events, or go on where a crash ended it.

    Args:
        statements: Postgres.
        store: The archive.
        request: Whom, why and on whose word.
        look: Says what waits for the ingest.
        signer: Signs receipt and manifest.
        progress: Told of files written and files in all.

    Raises:
        HoldError: A legal hold forbids it.
        GateError: A day that was exported differs from its Parquet.
        ArchiveError: Another operation is under way, an export is half done, or a file does not hold
            what its manifest says.
    """
    subject = request.subject
    if subject.is_in(f"{request.reason}\n{request.by}".encode()):
        raise ArchiveError("the reason, or who asks, names the subject, and the receipt must not")
    interrupted = erasures.under_way(statements, subject)
    with open_chain(statements, store, signer) as chain, duckdb.connect(":memory:") as connection:
        chain.must_be_whole()
        # Before the rows are looked for: what is stored meanwhile is either found or named.
        waiting = look(subject)
        findings = find(statements, store, connection, subject)
        waiting += _unreadable(findings)
        erasure = erasures.under_way(statements, subject)
        if erasure is None and not findings.found:
            # Nothing, or nothing but what opening the chain has finished.
            found = erasures.counts(statements, interrupted.id) if interrupted else []
            return Erased(found, [], waiting, interrupted.receipt if interrupted else None)
        exported = [day.day for day in hot.list_days(statements) if day.state == "exported"]
        retire_days(statements, store, exported)
        erasure = erasure or erasures.begin(
            statements, subject, reason=request.reason, by=request.by, receipts=FOLDER
        )
        subjects.erase_rows(statements, erasure.id, subject, findings.letters.ids, findings.holds)
        files = Rewrite()
        try:
            rewrite(
                files,
                store,
                connection,
                findings.entries,
                findings.files,
                subject,
                sequence=chain.sequence,
                progress=progress,
            )
            _publish(statements, chain, erasure, findings, files, waiting)
        except Exception:
            files.discard(store)
            raise
        subjects.erase_copies(statements, erasure.id, subject)
        if subject.user_id:
            with (
                results.one_at_a_time(statements, "metrics"),
                results.one_at_a_time(statements, "anomalies"),
            ):
                results.erase_user(statements, subject.user_id)
                erase_user_from_results(store, subject.user_id)
        finish_erasure(statements, store, erasure)
    return Erased(erasures.counts(statements, erasure.id), findings.files, waiting, erasure.receipt)


def _publish(
    statements: Statements,
    chain: Chain,
    erasure: erasures.Erasure,
    findings: Findings,
    files: Rewrite,
    waiting: list[Waiting],
) -> None:
    """Publish receipt and manifest and tell Postgres, while no hold can be added."""
    taken = [
        *erasures.counts(statements, erasure.id),
        *(each for each in findings.found if each.place == "archive"),
    ]
    receipt = Receipt(
        format=FORMAT,
        erasure=erasure.id,
        subject=Proof(kind=erasure.kind, salt=erasure.salt, sha256=erasure.subject_sha256),
        requested_at=erasure.requested_at,
        requested_by=erasure.requested_by,
        reason=erasure.reason,
        taken=[Taken(place=each.place, day=each.day, rows=each.rows) for each in taken],
        replaced=[Replaced(path=file.path, sha256=file.sha256) for file in findings.files],
        waiting=waiting,
        remains=list(REMAINS),
    )
    with settled(statements, findings.holds):
        link = chain.write(erasure.receipt, receipt)
        if files.entries:
            published = chain.publish("erasure", files.entries, link)
            chain.store.sync([published.manifest.name])
            hot_chain.note_replaced(statements, published.record)


def _unreadable(findings: Findings) -> list[Waiting]:
    count = findings.letters.unreadable
    return [Waiting(place="dead letters that nobody can read", entries=count)] if count else []
