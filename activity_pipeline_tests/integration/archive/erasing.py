"""What tests of erasures share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.chain.receipt import Receipt, Waiting
from activity_pipeline.archive.chain.signing import Signer, split_signature
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days.erase import Erased, Request, erase, preview
from activity_pipeline.archive.days.waiting import Sources
from activity_pipeline.events.subject import Subject
from activity_pipeline_tests.conftest import Running

SIGNER = Signer(Ed25519PrivateKey.generate())


def look(running: Running, subject: Subject) -> list[Waiting]:
    settings = running.settings
    return Sources(
        settings.postgres_dsn,
        settings.redis_url,
        settings.queue_shards,
        (settings.postgres_dsn,),
        settings.spool_path,
    ).look(subject)


def erased(running: Running, subject: Subject, signer: Signer | None = None) -> Erased:
    return erase(
        running.statements,
        running.store,
        Request(subject, "request 17", "tester"),
        lambda subject: look(running, subject),
        signer,
    )


def would_erase(running: Running, subject: Subject) -> Erased:
    return preview(running.statements, running.store, subject, lambda subject: look(running, subject))


def by_place(found: Erased) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in found.found:
        counts[each.place] += each.rows
    return counts


def receipts(running: Running) -> list[Receipt]:
    raw = [running.store.read(name) for name in running.store.list("receipts")]
    return [msgspec.json.decode(split_signature(each)[0], type=Receipt) for each in raw]


def sound(running: Running, signer: Signer | None = None) -> None:
    """Check that the archive proves itself, and that Postgres and the ledger agree with it."""
    public = [signer.public] if signer else []
    assert verify(running.store, deep=True, public=public).faults == []
    assert disagreements(running.statements, running.store) == []
    assert running.ledger().residual == 0, running.ledger().differences


def traces(running: Running, user: UUID) -> list[str]:
    """Return the files of the archive in which a user's bytes are, as stored or as text."""
    return files_with(running, user.bytes, str(user).encode(), user.hex.encode())


def files_with(running: Running, *texts: bytes) -> list[str]:
    """Return the files of the archive that hold any of these bytes."""
    root = Path(running.store.root)
    files = [path for path in root.rglob("*") if path.is_file()]
    return [path.name for path in files if any(text in path.read_bytes() for text in texts)]
