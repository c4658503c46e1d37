"""An archive that tests tamper with, and put back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.chain.manifest import FORMAT, DataFile, Link, Manifest, encode, parse_manifest
from activity_pipeline.archive.chain.publish import HEAD, Head, digest
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.chain.verify import Verification, verify


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

    def needed(self) -> list[DataFile]:
        """Return the files of the days' newest generations: no file that a compaction has replaced."""
        newest = {entry.day: entry for manifest in self.manifests() for entry in manifest.days}
        return [file for entry in newest.values() for file in entry.files]

    def documents(self) -> list[str]:
        """Return the manifests, the receipts and the head as they were."""
        return [path for path in self.saved if path.endswith(".json")]

    def _held(self) -> dict[str, bytes]:
        paths = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in paths}


Tamper = Callable[[Evidence, Random], None]
"""What is done to an archive, drawn at random."""
