"""Receipts: what an erasure took from where, on whose word, without saying whom it was about.

Whoever knows the subject can confirm it: `subject.sha256` is the SHA-256 of the salt, a newline and
the subject (`activity_pipeline.events.subject.Subject.proof`). The manifest that took the rows out of
the archive names the receipt with its hash; an erasure that found nothing there has no manifest.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec

from activity_pipeline.events.subject import Kind, Subject
from activity_pipeline.hot.subjects import Place

FOLDER = "receipts"
FORMAT = "activity-erasure/1"

REMAINS = (
    "Postgres: free room in the tables' pages until it is used again, and the write-ahead log",
    "backups, replicas and snapshots of Postgres, Redis and the archive, made before",
    "versions that an object store keeps of the files that were replaced",
    "events of others whose metadata mentions the subject",
    "files that dead letters were exported to, logs of the applications, and copies that analysts made",
)
"""Where the subject may still be read, beyond what an erasure reaches."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Whom it was about, for those alone who know it.

    Attributes:
        kind: user or entity.
        salt: Goes before the subject.
        sha256: Of both.
    """

    kind: Kind
    salt: str
    sha256: str

    def confirms(self, subject: Subject) -> bool:
        """Whether it was about this subject."""
        return subject.proof(self.salt) == self.sha256


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were taken.

    Attributes:
        place: hot, late or archive; dead_letters, which had never been stored; restored and
            replayed_letters, which were copies.
        day: Their UTC day; that of arrival for dead letters.
        rows: How many.
    """

    place: Place
    day: date
    rows: int


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is gone.

    Attributes:
        path: Relative to the archive's root.
        sha256: Hash of its bytes.
    """

    path: str
    sha256: str


class Waiting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something on its way into the tables, which cannot be rewritten: drain it and erase again.

    Attributes:
        place: Which queue, outbox or spool; or dead letters that nobody can read.
        entries: Entries, rows or producers' spools there, when the erasure began.
        size_bytes: Their size.
        mentions: Those in which the subject's text was found; absent where nobody could look.
        fault: Why nobody knows.
    """

    place: str
    entries: int = 0
    size_bytes: int = 0
    mentions: int | None = None
    fault: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did.

    Attributes:
        format: FORMAT.
        erasure: Its id.
        subject: Whom it was about.
        requested_at: When it was asked for.
        requested_by: On whose word.
        reason: Why.
        taken: What was taken, by place and day.
        replaced: Files that were written anew without it, or not at all.
        waiting: What had not arrived yet.
        remains: REMAINS.
    """

    format: str
    erasure: UUID
    subject: Proof
    requested_at: datetime
    requested_by: str
    reason: str
    taken: list[Taken]
    replaced: list[Replaced]
    waiting: list[Waiting]
    remains: list[str]
