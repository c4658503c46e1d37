"""Whatever happens to a spool file, the records that are whole come back as they were, in order."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_pipeline.producer import spool as rooms
from activity_pipeline.producer.segment import to_record
from activity_pipeline.producer.spool import ProducerSpool, SpoolFolder

Entry = dict[bytes, bytes]

QUEUE = "0123456789abcdef"
ENOUGH_BYTES = 10**9
entries = st.lists(
    st.dictionaries(st.sampled_from([b"e", b"p", b"s", b"z"]), st.binary(max_size=80), min_size=1),
    min_size=1,
    max_size=8,
)


@contextmanager
def written(records: list[Entry]) -> Iterator[tuple[SpoolFolder, Path, list[int]]]:
    """A spool that has lost its owner, its one segment, and the offset after each record."""
    with tempfile.TemporaryDirectory() as folder:
        folder_of_all = SpoolFolder(Path(folder) / "spool", QUEUE, ENOUGH_BYTES)
        spool = folder_of_all.create("producer")
        ends = [spool.append(record).offset for record in records]
        spool.close()
        yield folder_of_all, spool.path / "00000001.segment", ends


def adopt(folder: SpoolFolder) -> ProducerSpool:
    (file,) = folder.orphans()
    return file


def read_all(file: ProducerSpool, page_bytes: int = 100) -> tuple[list[Entry], int]:
    found: list[Entry] = []
    torn = 0
    while file.pending:
        page = file.read(page_bytes)
        found += page.entries
        torn += page.torn
        file.advance(page.end)
    file.close()
    return found, torn


@given(records=entries, page_bytes=st.integers(1, 1000))
def test_records_come_back_in_order(records: list[Entry], page_bytes: int) -> None:
    with written(records) as (folder, _, _):
        assert read_all(adopt(folder), page_bytes) == (records, 0)


@given(records=entries, data=st.data())
def test_a_cut_file_yields_a_prefix(records: list[Entry], data: st.DataObject) -> None:
    with written(records) as (folder, path, ends):
        size = data.draw(st.integers(0, ends[-1]))
        os.truncate(path, size)
        whole = sum(end <= size for end in ends)
        torn = size not in (0, *ends)
        assert read_all(adopt(folder)) == (records[:whole], int(torn))


@given(records=entries, data=st.data())
def test_a_flipped_bit_costs_one_record_and_is_counted(records: list[Entry], data: st.DataObject) -> None:
    with written(records) as (folder, path, ends):
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        hit = sum(end <= position for end in ends)
        assert read_all(adopt(folder)) == (records[:hit] + records[hit + 1 :], 1)


@given(content=st.binary(max_size=300))
def test_any_file_can_be_read_to_its_end(content: bytes) -> None:
    with written([{b"e": b"{}\n"}]) as (folder, path, _):
        path.write_bytes(content)
        found, torn = read_all(adopt(folder))
        assert found == []
        assert torn == bool(content)


@settings(max_examples=5)
@given(padding=st.integers(0, 20))
def test_a_record_after_megabytes_of_damage_is_found(padding: int) -> None:
    records = [{b"e": b"first"}, {b"e": b"second"}]
    with written(records) as (folder, path, ends):
        content = path.read_bytes()
        # The mark of the second record lies around the edge of a search window.
        damage = bytes(1024 * 1024 - 10 + padding)
        path.write_bytes(content[: ends[0]] + damage + content[ends[0] :])
        assert read_all(adopt(folder)) == (records, 1)


def test_the_spool_is_private_and_held(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path / "a" / "spool", QUEUE, ENOUGH_BYTES)
    spool = folder.create("p")
    spool.append({b"e": b"x"})
    (segment,) = spool.path.iterdir()
    assert segment.stat().st_mode & 0o777 == 0o600
    assert spool.path.stat().st_mode & 0o777 == folder.path.stat().st_mode & 0o777 == 0o700
    assert list(folder.orphans()) == []
    spool.close()
    orphan = adopt(folder)
    assert orphan.pending
    orphan.remove()
    assert list(folder.path.iterdir()) == []


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    SpoolFolder(shared, QUEUE, ENOUGH_BYTES).create("p").remove()
    assert shared.stat().st_mode & 0o777 == 0o755


def test_links_to_foreign_folders_and_files_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / f"{QUEUE}.p.spool").symlink_to(target)
    folder = SpoolFolder(tmp_path, QUEUE, ENOUGH_BYTES)
    assert list(folder.orphans()) == []
    with pytest.raises(OSError, match="directory"):
        folder.create("p")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    spool = folder.create("q")
    (spool.path / "00000001.segment").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        spool.append({b"e": b"x"})
    assert secret.read_bytes() == b"secret"


def test_a_failed_write_leaves_the_spool_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = SpoolFolder(tmp_path, QUEUE, ENOUGH_BYTES).create("p")
    spool.append({b"e": b"kept"})
    write = os.write

    def full_disk(descriptor: int, content: memoryview) -> int:
        if len(content) <= 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[:20])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_disk)
        with pytest.raises(OSError, match="No space"):
            spool.append({b"e": b"x" * 100})
    spool.append({b"e": b"after"})
    assert read_all(spool) == ([{b"e": b"kept"}, {b"e": b"after"}], 0)


@given(records=entries, segment_bytes=st.integers(1, 200), data=st.data())
def test_segments_are_deleted_as_they_are_replayed(
    records: list[Entry], segment_bytes: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as path, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "SEGMENT_BYTES", segment_bytes)
        spool = SpoolFolder(Path(path), QUEUE, ENOUGH_BYTES).create("p")
        found: list[Entry] = []
        waiting = list(records)
        while waiting or spool.pending:
            if waiting and (not spool.pending or data.draw(st.booleans())):
                spool.append(waiting.pop(0))
            else:
                page = spool.read(1)
                found += page.entries
                spool.advance(page.end)
                left_bytes = sum(file.stat().st_size for file in spool.path.iterdir())
                unread = records[len(found) : len(records) - len(waiting)]
                # What was read of the oldest segment, and the last segment, are still there.
                assert left_bytes <= sum(map(record_bytes, unread)) + 2 * (segment_bytes + 600)
        assert found == records
        spool.remove()
        assert list(Path(path).iterdir()) == []


def record_bytes(entry: Entry) -> int:
    return len(to_record(entry))


def test_the_limit_counts_all_producers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_MEASURE_S", 0.0)
    entry = {b"e": b"x" * 1000}
    limit = 3 * record_bytes(entry)
    first = SpoolFolder(tmp_path, QUEUE, limit).create("p")
    second = SpoolFolder(tmp_path, "another queue", limit).create("q")
    first.append(entry)
    second.append(entry)
    first.append(entry)
    for spool in (first, second):
        with pytest.raises(OSError, match="limit") as caught:
            spool.append(entry)
        assert caught.value.errno == errno.EDQUOT
    assert read_all(first) == ([entry, entry], 0)
    first.path.joinpath("00000001.segment").unlink()
    second.append(entry)
    assert read_all(second) == ([entry, entry], 0)
