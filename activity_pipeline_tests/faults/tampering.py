"""Ways to tamper with an archive, drawn at random, each of which can be undone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from activity_pipeline.archive.chain.manifest import (
    FORMAT,
    DataFile,
    DayEntry,
    Link,
    Manifest,
    describe_day,
    encode,
    parse_manifest,
)
from activity_pipeline.archive.chain.publish import HEAD, Head, digest
from activity_pipeline.archive.chain.signing import Signer, split_signature
from activity_pipeline.archive.chain.verify import Verification, verify
from activity_pipeline.archive.files.describe import Share, describe_files

STRANGER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
"""Somebody else's key."""

EDGE_BYTES = 64


@dataclass
class Evidence:
    """An archive of a test's own, and what it was before somebody tampered with it.

    Attributes:
        root: Its folder.
        signer: Who signs it; none where it is not signed.
        saved: Each file's bytes, by its path below the root.
        noted: SHA-256 of the last manifest.
    """

    root: Path
    signer: Signer | None
    saved: dict[str, bytes] = field(default_factory=dict)
    noted: str = ""

    def save(self) -> None:
        """Take what is there now as the truth."""
        self.saved = self._held()
        self.noted = digest(self.saved[self.manifests()[-1].name])

    def undo(self) -> None:
        """Put everything back."""
        held = self._held()
        for path in held.keys() - self.saved.keys():
            (self.root / path).unlink()
        for path, content in self.saved.items():
            if held.get(path) != content:
                (self.root / path).parent.mkdir(exist_ok=True)
                (self.root / path).write_bytes(content)

    def touched(self) -> set[str]:
        """Return the files that are not as they were, or are not there, or were not there."""
        held = self._held()
        return {path for path in held.keys() | self.saved.keys() if held.get(path) != self.saved.get(path)}

    def verify(self, *, deep: bool = False, noted: bool = False) -> Verification:
        """Verify the archive by its signer's key, where it is signed."""
        public = [self.signer.public] if self.signer else []
        store = ArchiveStore(str(self.root))
        return verify(store, deep=deep, public=public, noted=self.noted if noted else None)

    def manifests(self) -> list[Manifest]:
        """Return the manifests as they were, in their order."""
        read = (
            parse_manifest(raw, name) for name, raw in self.saved.items() if name.startswith("manifests/")
        )
        return sorted(read, key=lambda manifest: manifest.sequence)

    def data_files(self) -> list[str]:
        """Return the Parquet files as they were."""
        return [path for path in self.saved if path.endswith(".parquet")]

    def rechain(self, manifests: Sequence[Manifest], signer: Signer | None) -> None:
        """Write a chain of one's own making, each manifest linked to the one before it, and its head."""
        for path in (self.root / "manifests").iterdir():
            path.unlink()
        last: Link | None = None
        for sequence, manifest in enumerate(manifests):
            linked = msgspec.structs.replace(manifest, sequence=sequence, previous=last)
            raw = signer.sign(linked.encode()) if signer else linked.encode()
            (self.root / linked.name).write_bytes(raw)
            last = Link(name=linked.name, sha256=digest(raw))
        assert last is not None
        head = encode(Head(format=FORMAT, sequence=len(manifests) - 1, last=last))
        (self.root / HEAD).write_bytes(signer.sign(head) if signer else head)

    def _held(self) -> dict[str, bytes]:
        paths = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in paths}


Tamper = Callable[[Evidence, Random], None]


def _any_file(evidence: Evidence, draw: Random) -> str:
    """Draw a folder first: there are more manifests than heads."""
    folder = draw.choice(sorted({Path(path).parts[0] for path in evidence.saved}))
    return draw.choice([path for path in evidence.saved if Path(path).parts[0] == folder])


def _rewrite(change: Callable[[bytes, int, Random], bytes]) -> Tamper:
    """Change the bytes of any file at a place in its head, its tail or anywhere."""

    def tamper(evidence: Evidence, draw: Random) -> None:
        path = _any_file(evidence, draw)
        whole = evidence.saved[path]
        edge = min(EDGE_BYTES, len(whole))
        head, tail, anywhere = (0, edge), (len(whole) - edge, len(whole)), (0, len(whole))
        changed = whole
        while changed == whole:
            changed = change(whole, draw.randrange(*draw.choice([head, tail, anywhere])), draw)
        (evidence.root / path).write_bytes(changed)

    return tamper


def _flip_bit(whole: bytes, at: int, draw: Random) -> bytes:
    return whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :]


def _replace_byte(whole: bytes, at: int, draw: Random) -> bytes:
    return whole[:at] + draw.randbytes(1) + whole[at + 1 :]


def _insert_bytes(whole: bytes, at: int, draw: Random) -> bytes:
    return whole[:at] + draw.randbytes(draw.randint(1, 9)) + whole[at:]


def _remove_bytes(whole: bytes, at: int, draw: Random) -> bytes:
    return whole[:at] + whole[at + draw.randint(1, 9) :]


def _repeat_bytes(whole: bytes, at: int, draw: Random) -> bytes:
    end = at + draw.randint(1, 9)
    return whole[:end] + whole[at:end] + whole[end:]


def _clear_bytes(whole: bytes, at: int, draw: Random) -> bytes:
    end = min(at + draw.randint(1, 512), len(whole))
    return whole[:at] + bytes(end - at) + whole[end:]


def _cut_off(whole: bytes, at: int, draw: Random) -> bytes:
    return whole[:at]


def _empty(whole: bytes, at: int, draw: Random) -> bytes:
    return b""


def _append_blanks(whole: bytes, at: int, draw: Random) -> bytes:
    return whole + draw.choice([b" ", b"\n", b"\r\n", b"\0"])


def _remove_file(evidence: Evidence, draw: Random) -> None:
    """Remove a file that is missed: not one that a compaction has replaced."""
    needed = {file.path for file in _listed(evidence)}
    path = _any_file(evidence, draw)
    while path.endswith(".parquet") and path not in needed:
        path = _any_file(evidence, draw)
    (evidence.root / path).unlink()


def _two(evidence: Evidence, draw: Random, *, folder: str) -> tuple[str, str]:
    first, second = draw.sample([path for path in evidence.saved if path.startswith(folder)], 2)
    return first, second


def _swap(folder: str) -> Tamper:
    def tamper(evidence: Evidence, draw: Random) -> None:
        first, second = _two(evidence, draw, folder=folder)
        (evidence.root / first).write_bytes(evidence.saved[second])
        (evidence.root / second).write_bytes(evidence.saved[first])

    return tamper


def _put_in_place_of(folder: str) -> Tamper:
    def tamper(evidence: Evidence, draw: Random) -> None:
        first, second = _two(evidence, draw, folder=folder)
        (evidence.root / first).write_bytes(evidence.saved[second])

    return tamper


def _add_file(evidence: Evidence, draw: Random) -> None:
    source = draw.choice(evidence.data_files())
    folder = draw.choice(["events", "events/packed", str(Path(draw.choice(evidence.data_files())).parent)])
    name = draw.choice(
        ["part-99.parquet", "more.parquet", "part-1.parquet.bak", "part-1.PARQUET", "rows.csv"]
    )
    shutil.copy(evidence.root / source, evidence.root / folder / name)


def _add_to_manifests(evidence: Evidence, draw: Random) -> None:
    name = draw.choice(["readme.txt", "2026-01-01.json", "x.1.json", f"{date(2026, 1, 1)}.1.json"])
    said = draw.choice([b"", b"{}", b"null", evidence.saved[evidence.manifests()[0].name]])
    (evidence.root / "manifests" / name).write_bytes(said)


def _rewrite_json(evidence: Evidence, draw: Random) -> None:
    """Say the same in other bytes, the signature kept as a member."""
    path = draw.choice([*(path for path in evidence.saved if path.startswith("manifests/")), HEAD])
    said = msgspec.json.decode(evidence.saved[path])
    raw = msgspec.json.encode(said, order=draw.choice([None, "sorted"]))
    raw = msgspec.json.format(raw, indent=draw.choice([-1, 0, 1, 2, 4])) + draw.choice([b"", b"\n"])
    (evidence.root / path).write_bytes(raw if raw != evidence.saved[path] else raw + b"\n")


def _take_newest_manifest(evidence: Evidence, draw: Random) -> None:
    """Roll a day back, by itself: the head still names what was taken."""
    left = evidence.manifests()[-draw.randint(1, 3) :]
    for manifest in left:
        (evidence.root / manifest.name).unlink()


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
    paths = [path for path in evidence.saved if path.endswith(".json")]
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
        path = draw.choice(sorted({file.path for file in _listed(evidence)}))
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


def _listed(evidence: Evidence) -> list[DataFile]:
    """Return the files of the newest entries."""
    newest = {entry.day: entry for manifest in evidence.manifests() for entry in manifest.days}
    return [file for entry in newest.values() for file in entry.files]


def _change_a_row(path: Path, draw: Random) -> None:
    table = pq.ParquetFile(path).read()
    mask = pa.array(number == draw.randrange(len(table)) for number in range(len(table)))
    mask = pa.array([True] * len(table)) if not mask.true_count else mask
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


def _exchange_days(evidence: Evidence, draw: Random) -> None:
    """Let a manifest say of a day what is true of another, in a chain signed with the right key."""
    manifests = evidence.manifests()
    place = draw.randrange(len(manifests))
    other = draw.choice([entry for each in manifests for entry in each.days])
    first, *rest = manifests[place].days
    if other.files == first.files:
        other = next(e for each in manifests for e in each.days if e.files != first.files)
    forged = describe_day(first.day, first.generation, other.files)
    manifests[place] = msgspec.structs.replace(manifests[place], days=[forged, *rest])
    evidence.rechain(manifests, evidence.signer)


BYTES: dict[str, Tamper] = {
    "a bit flipped": _rewrite(_flip_bit),
    "a byte replaced": _rewrite(_replace_byte),
    "bytes inserted": _rewrite(_insert_bytes),
    "bytes removed": _rewrite(_remove_bytes),
    "bytes repeated": _rewrite(_repeat_bytes),
    "bytes set to zero": _rewrite(_clear_bytes),
    "a file cut off": _rewrite(_cut_off),
    "a file emptied": _rewrite(_empty),
    "blanks at the end": _rewrite(_append_blanks),
}
"""One file has other bytes: found without any row being read, and by its name where it is signed."""

FILES: dict[str, Tamper] = {
    "a file removed": _remove_file,
    "two Parquet files swapped": _swap("events/"),
    "two manifests swapped": _swap("manifests/"),
    "a Parquet file in another's place": _put_in_place_of("events/"),
    "a manifest in another's place": _put_in_place_of("manifests/"),
    "a file more below events": _add_file,
    "a file more in manifests": _add_to_manifests,
    "a document in other JSON": _rewrite_json,
    "newest manifests taken away": _take_newest_manifest,
    "days exchanged by the signer": _exchange_days,
}
"""Whole files: found without any row being read, signed or not."""

FORGERIES: dict[str, Tamper] = {
    "a signature forged": _forge_signature,
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
