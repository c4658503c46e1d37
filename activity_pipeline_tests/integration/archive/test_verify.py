"""Verification of an archive by its own files: sound where nothing was touched, and every touch is found."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.chain.manifest import FORMAT, Link, describe_day, encode, read_manifest
from activity_pipeline.archive.chain.publish import HEAD, Head
from activity_pipeline.archive.chain.verify import Verification, verify
from activity_pipeline_tests.integration.archive.conftest import Cold

BYTES = "is not in the bytes that it is published in"


@pytest.fixture
def archive(cold: Cold, tmp_path: Path) -> Path:
    """A copy of an archive of three days, the first one in two generations."""
    for back in (3, 2, 1):
        cold.send_hot(cold.day(back), 5)
    cold.archive()
    cold.send(cold.day(3), 4)
    cold.archive()
    copy = tmp_path / "copy"
    shutil.copytree(cold.running.store.root, copy)
    return copy


def faults(root: Path, *, deep: bool = True) -> list[tuple[str, str]]:
    return [(fault.path, fault.what) for fault in verify(ArchiveStore(str(root)), deep=deep).faults]


def files(root: Path) -> list[Path]:
    return sorted(root.glob("events/*/*.parquet"))


def manifests(root: Path) -> list[Path]:
    return sorted(root.glob("manifests/*.json"))


def test_a_copy_is_sound(archive: Path) -> None:
    done: list[tuple[int, int]] = []
    found = verify(ArchiveStore(str(archive)), deep=True, progress=lambda *progress: done.append(progress))
    last = max(manifests(archive), key=lambda path: json.loads(path.read_text())["sequence"])
    assert found.faults == []
    assert (found.manifests, found.days, found.files, found.rows) == (4, 3, 4, 19)
    assert found.head is not None
    assert found.head.name == f"manifests/{last.name}"
    assert found.size_bytes == sum(path.stat().st_size for path in files(archive))
    assert done[-1] == (4, 4)


def test_nothing_is_sound_too(tmp_path: Path) -> None:
    assert verify(ArchiveStore(str(tmp_path / "none"))) == Verification()


def test_any_byte_of_any_file_is_missed(archive: Path) -> None:
    for path in files(archive):
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            ((named, what),) = faults(archive, deep=False)
            assert named == str(path.relative_to(archive))
            assert "SHA-256" in what
        path.write_bytes(whole[:-1])
        assert "bytes, not" in faults(archive, deep=False)[0][1]
        path.write_bytes(whole)
    assert faults(archive) == []


def test_any_byte_of_any_manifest_is_missed(archive: Path) -> None:
    for path in manifests(archive):
        whole = path.read_bytes()
        # A blank more changes nothing that it says.
        path.write_bytes(whole.replace(b"\n", b" \n", 1))
        assert (str(path.relative_to(archive)), BYTES) in faults(archive, deep=False)
        path.write_bytes(b"{" + whole)
        assert any("is not a manifest" in what for _, what in faults(archive, deep=False))
        path.write_bytes(whole)


def _remove_a_manifest(root: Path) -> None:
    manifests(root)[0].unlink()


def _remove_a_file(root: Path) -> None:
    files(root)[0].unlink()


def _swap_days(root: Path) -> None:
    first, second = files(root)[-2:]
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)


def _swap_manifests(root: Path) -> None:
    first, second = manifests(root)[-2:]
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)


def _add_a_file(root: Path) -> None:
    shutil.copy(files(root)[0], files(root)[0].with_name("part-9.parquet"))


def _make_a_total_up(root: Path) -> None:
    last = max(manifests(root), key=lambda path: json.loads(path.read_text())["sequence"])
    said = json.loads(last.read_text())
    said["days"][0]["row_count"] += 1
    last.write_text(json.dumps(said))


TOUCHES: dict[Callable[[Path], None], str] = {
    _remove_a_manifest: "of the chain, where",
    _remove_a_file: "is missing",
    _swap_days: "bytes",
    _swap_manifests: "says that it is",
    _add_a_file: "no manifest lists it",
    _make_a_total_up: "are not those of its files",
}


def test_what_was_touched_is_named(archive: Path) -> None:
    for touch, what in TOUCHES.items():
        copy = archive.with_name(touch.__name__)
        shutil.copytree(archive, copy)
        touch(copy)
        assert any(what in said for _, said in faults(copy, deep=False)), touch


def test_a_generation_that_was_rolled_back(archive: Path) -> None:
    store = ArchiveStore(str(archive))
    head = verify(store).head
    assert head is not None
    second = next(path for path in manifests(archive) if path.name.endswith(".2.json"))
    second.unlink()
    # It was the last link: what is left is a sound chain, but it ends before its head.
    assert [path for path, _ in faults(archive)] == [f"events/date={second.name[:10]}/part-2.parquet", HEAD]
    (archive / HEAD).unlink()
    assert (HEAD, "is missing") in faults(archive)
    assert any(fault.what.endswith(head.sha256) for fault in verify(store, noted=head.sha256).faults)


def test_an_older_copy_as_a_whole_is_found_by_a_head_noted_since(cold: Cold, archive: Path) -> None:
    cold.send_hot(cold.day(9), 5)
    cold.archive()
    now = verify(cold.running.store)
    assert now.head is not None
    assert now.faults == []
    assert faults(archive) == []
    ((path, _),) = [
        (f.path, f.what) for f in verify(ArchiveStore(str(archive)), noted=now.head.sha256).faults
    ]
    assert path == HEAD


def test_a_forged_file_and_manifest_are_found_by_reading_the_rows(archive: Path) -> None:
    """Both forged alike, and the head with them, so that no hash speaks against them."""
    last = max(manifests(archive), key=lambda path: json.loads(path.read_text())["sequence"])
    manifest, _ = read_manifest(ArchiveStore(str(archive)), f"manifests/{last.name}")
    entry = manifest.days[0]
    forged = msgspec.structs.replace(entry.files[-1], content_hash="0" * 30)
    totals = describe_day(entry.day, entry.generation, [*entry.files[:-1], forged])
    raw = msgspec.structs.replace(manifest, days=[totals]).encode()
    last.write_bytes(raw)
    link = Link(name=manifest.name, sha256=hashlib.sha256(raw).hexdigest())
    (archive / HEAD).write_bytes(encode(Head(format=FORMAT, sequence=manifest.sequence, last=link)))
    assert faults(archive, deep=False) == []
    ((path, what),) = faults(archive, deep=True)
    assert path == forged.path
    assert "not what its manifest says" in what


def test_an_export_meanwhile_is_no_fault(cold: Cold, monkeypatch: pytest.MonkeyPatch) -> None:
    cold.send_hot(cold.day(2), 5)
    cold.archive()
    cold.send_hot(cold.day(1), 5)
    listed = ArchiveStore.list

    def archive_first(store: ArchiveStore, folder: str) -> list[str]:
        monkeypatch.setattr(ArchiveStore, "list", listed)
        cold.archive()
        return store.list(folder)

    monkeypatch.setattr(ArchiveStore, "list", archive_first)
    found = verify(cold.running.store, deep=True)
    assert (found.faults, found.manifests, found.files) == ([], 2, 2)


def test_what_a_killed_writer_left_is_no_fault(cold: Cold, archive: Path) -> None:
    left = files(archive)[0].with_name(f".part-1.parquet.{'0' * 32}")
    left.write_bytes(b"PAR1")
    assert verify(ArchiveStore(str(archive))).faults == []


def test_files_of_some_days(cold: Cold, archive: Path) -> None:
    for path in files(archive):
        path.write_bytes(b"")
    store = ArchiveStore(str(archive))
    day = cold.day(2)
    found = verify(store, days=(day, day))
    assert [fault.path for fault in found.faults] == [f"events/date={day}/part-1.parquet"]
    assert (found.days, found.files, found.manifests) == (1, 1, 4)


README = Path(__file__).parents[3] / "README.md"


def test_the_verifier_in_the_readme_needs_nothing_of_ours(cold: Cold, archive: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(import hashlib.*?)```", README.read_text(), re.DOTALL)
    written = tmp_path / "verifier.py"
    written.write_text(code.replace('".activity/archive"', repr(str(archive))))

    def verifies() -> bool:
        return (
            subprocess.run([sys.executable, "-I", written], check=False, capture_output=True).returncode == 0
        )

    assert verifies()
    for path in (files(archive)[0], archive / f"manifests/{cold.day(2)}.1.json"):
        raw = path.read_bytes()
        path.write_bytes(raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:])
        assert not verifies()
        path.write_bytes(raw)
    assert verifies()
