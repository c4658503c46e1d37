"""The formats that can be imported, and which one a file is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from activity_pipeline.errors import ImportFileError
from activity_pipeline.producer import cloudtrail, github


class FileFormat(StrEnum):
    """What the records of a file are."""

    NDJSON = "ndjson"
    CLOUDTRAIL = "cloudtrail"
    GHARCHIVE = "gharchive"


TIMESTAMP_FIELD = {
    FileFormat.NDJSON: "timestamp",
    FileFormat.CLOUDTRAIL: "eventTime",
    FileFormat.GHARCHIVE: "created_at",
}
"""The field that says when, by format."""

TO_EVENT: dict[FileFormat, Callable[[bytes], bytes]] = {
    FileFormat.CLOUDTRAIL: cloudtrail.to_event,
    FileFormat.GHARCHIVE: github.to_event,
}
"""From a foreign record to one of our lines; raises ValueError for a malformed one."""

_CLOUDTRAIL_DOCUMENT = re.compile(rb'\s*\{\s*"Records"\s*:')
_CLOUDTRAIL_FIELDS = {"eventTime", "eventSource", "eventName"}
_GITHUB_FIELDS = {"type", "actor", "repo", "created_at"}
_LOOK_AT_LINES = 100
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_format(name: str) -> FileFormat | None:
    """Return the format of that name, None for `auto`.

    Raises:
        ImportFileError: No format has that name.
    """
    try:
        return None if name == "auto" else FileFormat(name)
    except ValueError:
        known = ", ".join(("auto", *FileFormat))
        raise ImportFileError(f"the format {name!r} is not known: {known}") from None


def is_cloudtrail_document(lines: Sequence[bytes]) -> bool:
    """Return whether a file that starts with these lines is one `{"Records": [...]}`."""
    return _CLOUDTRAIL_DOCUMENT.match(b"\n".join(lines[:_LOOK_AT_LINES])) is not None


def detect(lines: Sequence[bytes]) -> FileFormat:
    """Return the format of a file that starts with these lines.

    The first line that is a JSON object decides; broken ones before it are passed over. What is
    not known to be foreign is ours, so that it becomes dead letters at worst and not an error.
    """
    if is_cloudtrail_document(lines):
        return FileFormat.CLOUDTRAIL
    for line in lines[:_LOOK_AT_LINES]:
        try:
            fields = set(_members.decode(line))
        except (ValueError, RecursionError):
            continue
        if fields >= _CLOUDTRAIL_FIELDS:
            return FileFormat.CLOUDTRAIL
        if fields >= _GITHUB_FIELDS:
            return FileFormat.GHARCHIVE
        break
    return FileFormat.NDJSON
