"""Ways to forge an archive: whoever does it can compute any hash, and some have the key."""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.chain.manifest import FORMAT, DayEntry, Link, describe_day, encode
from activity_pipeline.archive.chain.publish import HEAD, Head, digest
from activity_pipeline.archive.chain.signing import Signer, split_signature
from activity_pipeline.archive.files.describe import Share, describe_files
from activity_pipeline_tests.faults.evidence import Evidence, Tamper

STRANGER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
"""Somebody else's key."""

BASE64 = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()


def _restore_older(evidence: Evidence, draw: Random) -> None:
    """Put an older archive in its place, whole, as a backup would: its chain, head and files."""
    kept = evidence.manifests()[: -draw.randint(1, 3)]
    listed = {file.path for manifest in kept for entry in manifest.days for file in entry.files}
    for path in evidence.data_files():
        if path not in listed:
            (evidence.root / path).unlink()
    for manifest in evidence.manifests()[len(kept) :]:
        (evidence.root / manifest.name).unlink()
    last = kept[-1]
    link = Link(name=last.name, sha256=digest(evidence.saved[last.name]))
    head = encode(Head(format=FORMAT, sequence=last.sequence, last=link))
    (evidence.root / HEAD).write_bytes(evidence.signer.sign(head) if evidence.signer else head)


def _forge_signature(evidence: Evidence, draw: Random) -> None:
    """Take the signature of one document for another, or sign it with another key, or not at all."""
    paths = evidence.documents()
    path, other = draw.sample(paths, 2)
    document = split_signature(evidence.saved[path])[0]
    signature = evidence.saved[other].removeprefix(split_signature(evidence.saved[other])[0][:-3])
    forged = [STRANGER.sign(document), document, document[:-3] + signature]
    (evidence.root / path).write_bytes(draw.choice(forged))


def _forge_extra_manifest(evidence: Evidence, draw: Random) -> None:
    """Put one more manifest at the end of the chain, with a right link and right totals."""
    last = evidence.manifests()[-1]
    entry = draw.choice(last.days)
    files = [msgspec.structs.replace(entry.files[0], generation=entry.generation)]
    forged = msgspec.structs.replace(
        last,
        sequence=last.sequence + 1,
        previous=Link(name=last.name, sha256=evidence.noted),
        days=[describe_day(entry.day, entry.generation + 1, draw.choice([entry.files, files]))],
    )
    raw = draw.choice([forged.encode(), STRANGER.sign(forged.encode())])
    (evidence.root / forged.name).write_bytes(raw)


def _forger(evidence: Evidence, draw: Random) -> Signer | None:
    """Whoever forges has no key, or one of its own."""
    return draw.choice([None, STRANGER])


def _true_signer(evidence: Evidence, draw: Random) -> Signer | None:
    return evidence.signer


def _forge_rows(signer_of: Callable[[Evidence, Random], Signer | None], *, content: bool) -> Tamper:
    """Change a row of a file, and every manifest after that, so that all the hashes of bytes are right.

    Args:
        signer_of: Who signs the forged chain.
        content: Whether the content hashes are made right too.
    """

    def tamper(evidence: Evidence, draw: Random) -> None:
        path = draw.choice(sorted({file.path for file in evidence.needed()}))
        _change_a_row(evidence.root / path, draw)
        with duckdb.connect() as connection:
            shares = describe_files(ArchiveStore(str(evidence.root)), connection, [path])[path]
        forged = [
            msgspec.structs.replace(
                manifest, days=[_with_share(entry, path, shares, content=content) for entry in manifest.days]
            )
            for manifest in evidence.manifests()
        ]
        evidence.rechain(forged, signer_of(evidence, draw))

    return tamper


def _change_a_row(path: Path, draw: Random) -> None:
    table = pq.ParquetFile(path).read()
    chosen = draw.randrange(len(table))
    mask = pa.array([number == chosen for number in range(len(table))])
    column = table.column_names.index("action")
    changed = pc.if_else(mask, "refunded", table["action"])
    pq.write_table(table.set_column(column, table.schema.field(column), changed), path, compression="zstd")


def _with_share(entry: DayEntry, path: str, shares: dict[date, Share], *, content: bool) -> DayEntry:
    files = []
    for file in entry.files:
        if file.path == path:
            forged = shares[entry.day].of(file.generation)
            said = forged.content_hash if content else file.content_hash
            files.append(msgspec.structs.replace(forged, content_hash=said))
        else:
            files.append(file)
    return describe_day(entry.day, entry.generation, files)


def _drop_a_manifest(evidence: Evidence, draw: Random) -> None:
    """Take a manifest out of the chain and close the gap."""
    kept = evidence.manifests()
    kept.pop(draw.randrange(len(kept)))
    evidence.rechain(kept, _forger(evidence, draw))


def _use_spare_bits(evidence: Evidence, draw: Random) -> None:
    """Change a signature's last character, in whose four last bits nothing is written."""
    path = draw.choice(evidence.documents())
    written, end, padding = evidence.saved[path].rpartition(b'=="')
    spare = BASE64[BASE64.index(written[-1:]) + draw.randint(1, 15)]
    (evidence.root / path).write_bytes(written[:-1] + bytes([spare]) + end + padding)


FORGERIES: dict[str, Tamper] = {
    "a signature forged": _forge_signature,
    "a signature's spare bits": _use_spare_bits,
    "a manifest more, forged": _forge_extra_manifest,
    "a row changed, all hashes right": _forge_rows(_forger, content=True),
    "a manifest left out, all hashes right": _drop_a_manifest,
}
"""Whoever does it can compute any hash and has not got the key: found by signatures alone."""


DEEP: dict[str, Tamper] = {"a row changed, content hash kept": _forge_rows(_true_signer, content=False)}
"""Whoever does it has the key, too, and only the rows speak against it."""


NOTED: dict[str, Tamper] = {
    "an older copy as a whole": _restore_older,
    "a row changed by the signer": _forge_rows(_true_signer, content=True),
}
"""Whoever does it has the key and makes everything right: found by a head that was noted before."""
