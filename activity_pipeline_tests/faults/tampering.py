"""Ways to tamper with the files of an archive, which take no understanding of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import msgspec

from activity_pipeline.archive.chain.manifest import describe_day
from activity_pipeline_tests.faults.evidence import Evidence, Tamper

EDGE_BYTES = 64


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
    needed = {file.path for file in evidence.needed()}
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
    path = draw.choice(evidence.documents())
    said = msgspec.json.decode(evidence.saved[path])
    raw = msgspec.json.encode(said, order=draw.choice([None, "sorted"]))
    raw = msgspec.json.format(raw, indent=draw.choice([-1, 0, 1, 2, 4])) + draw.choice([b"", b"\n"])
    (evidence.root / path).write_bytes(raw if raw != evidence.saved[path] else raw + b"\n")


def _take_newest_manifest(evidence: Evidence, draw: Random) -> None:
    """Roll a day back, by itself: the head still names what was taken."""
    left = evidence.manifests()[-draw.randint(1, 3) :]
    for manifest in left:
        (evidence.root / manifest.name).unlink()


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


def _say_another_format(evidence: Evidence, draw: Random) -> None:
    path = draw.choice(evidence.documents())
    (evidence.root / path).write_bytes(
        re.sub(rb'"activity-(\w+)/\d"', rb'"activity-\1/9"', evidence.saved[path])
    )


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
    "two receipts swapped": _swap("receipts/"),
    "a Parquet file in another's place": _put_in_place_of("events/"),
    "a manifest in another's place": _put_in_place_of("manifests/"),
    "a file more below events": _add_file,
    "a file more in manifests": _add_to_manifests,
    "a document in other JSON": _rewrite_json,
    "a document of another format": _say_another_format,
    "newest manifests taken away": _take_newest_manifest,
    "days exchanged by the signer": _exchange_days,
}
"""Whole files: found without any row being read, signed or not."""
