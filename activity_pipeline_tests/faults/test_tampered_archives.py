"""Whatever is done to an archive is found, and nothing is found in one that nothing was done to."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activity_pipeline.archive import archive_days
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.events.subject import Subject
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults import forging, tampering
from activity_pipeline_tests.faults.evidence import Evidence
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.archive.erasing import erased

SIGNED = tampering.BYTES | tampering.FILES | forging.FORGERIES | forging.DEEP | forging.NOTED
UNSIGNED = tampering.BYTES | tampering.FILES | forging.DEEP | forging.NOTED


def build(cold: Cold, root: Path) -> Evidence:
    """Build an archive with all that an archive can hold, and return a copy of it.

    A pack of four days, one of them in two generations, two users erased from the others; late rows
    on the pack; a day of two generations beside it; and the files that the pack has replaced, which
    are not swept yet.
    """
    signer = Signer(Ed25519PrivateKey.generate())
    running = cold.running

    def archive() -> None:
        archive_days(running.statements, running.bulk, running.store, cold.due(), signer)

    for back in (9, 8, 7, 6):
        cold.send_hot(cold.day(back), 12)
    users = [UUID(int=number, version=4) for number in (1, 2)]
    for user in users:
        cold.send_hot(cold.day(7), 2, user_id=str(user))
    archive()
    for user in users:
        erased(running, Subject.user(user), signer)
    cold.send(cold.day(9), 5)
    archive()
    assert list(compact(running.statements, running.store, signer, min_files=2))
    cold.send(cold.day(8), 5)
    cold.send_hot(cold.day(2), 12)
    archive()
    cold.send(cold.day(2), 5)
    archive()
    shutil.copytree(running.store.root, root)
    evidence = Evidence(root, signer)
    evidence.save()
    return evidence


def unsigned(signed: Evidence, root: Path) -> Evidence:
    """Return a copy that nobody has signed."""
    shutil.copytree(signed.root, root)
    evidence = Evidence(root, None)
    evidence.rechain(signed.manifests(), None)
    evidence.save()
    return evidence


def tamper(evidence: Evidence, kinds: Sequence[str], seed: int) -> Counter[str]:
    """Tamper once for each kind that is named, and undo it; return how many of each kind were found."""
    draw, found = random.Random(seed), Counter[str]()
    for number, kind in enumerate(kinds):
        SIGNED[kind](evidence, draw)
        touched = evidence.touched()
        where = f"{kind}, number {number} of seed {seed}: {sorted(touched)}"
        assert touched, where
        verification = evidence.verify(deep=kind in forging.DEEP, noted=kind in forging.NOTED)
        assert verification.faults, where
        if kind in tampering.BYTES and evidence.signer:
            assert touched & {fault.path for fault in verification.faults}, where
        found[kind] += 1
        evidence.undo()
        assert evidence.verify().faults == [], f"{where}, undone"
    return found


def prove(cold: Cold, folder: Path, times: int) -> None:
    seed = int(os.environ.get("TAMPER_SEED") or random.SystemRandom().randrange(10**9))
    print(f"\nTAMPER_SEED={seed}")  # noqa: T201 what it takes to see a failure again
    signed = build(cold, folder / "signed")
    total: Counter[str] = Counter()
    for evidence, kinds in ((signed, SIGNED), (unsigned(signed, folder / "unsigned"), UNSIGNED)):
        assert evidence.verify(deep=True, noted=True).faults == []
        found = tamper(evidence, list(kinds) * times, seed)
        for kind, count in found.items():
            print(f"{count:5} x {kind}{'' if evidence.signer else ', not signed'}")  # noqa: T201
        total += found
    print(f"{total.total():5} tamperings, all found")  # noqa: T201
    assert total.total() >= 300
    moved = signed.root.rename(folder / "moved elsewhere")
    assert Evidence(moved, signed.signer, noted=signed.noted).verify(deep=True, noted=True).faults == []


@pytest.mark.faults
def test_every_tampering_is_found(running: Running, tmp_path: Path) -> None:
    prove(Cold(running), tmp_path, 6)


@pytest.mark.slow
@pytest.mark.faults
def test_three_thousand_tamperings_are_found(running: Running, tmp_path: Path) -> None:
    prove(Cold(running), tmp_path, 64)
