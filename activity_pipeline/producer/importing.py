"""Importing files: events from disk or a pipe through a logger into the queue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import cast

from activity_pipeline.errors import ImportFileError
from activity_pipeline.producer.cloudtrail import split_document
from activity_pipeline.producer.formats import (
    TIMESTAMP_FIELD,
    TO_EVENT,
    FileFormat,
    detect,
    is_cloudtrail_document,
    parse_format,
)
from activity_pipeline.producer.logger import ActivityLogger
from activity_pipeline.producer.reading import Source
from activity_pipeline.producer.rebase import shift, timestamp_reader, whole_weeks

STDIN = "-"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came out of a file.

    Attributes:
        format: What its records are.
        lines: Records read: lines that are not blank, or members of a CloudTrail log file.
        events: Records handed to the logger as events.
        malformed: Of a foreign format, records that are no events and were handed over as they
            are, to become dead letters. What is wrong with our own lines, only the sink can say.
        bytes_read: Bytes taken from the file, compressed where it is.
    """

    format: FileFormat
    lines: int = 0
    events: int = 0
    malformed: int = 0
    bytes_read: int = 0


def import_file(
    path: Path | str,
    logger: ActivityLogger,
    *,
    format: str = "auto",
    rebase: int | None = None,
    progress: Callable[[ImportReport], None] | None = None,
) -> ImportReport:
    """Hand all events of a file to a logger; the caller flushes.

    Lines in our own shape travel as they are, byte for byte.

    Args:
        path: The file, plain or gzip; `-` is the standard input.
        logger: Where the events go; its memory bounds the pace.
        format: `auto`, `ndjson`, `cloudtrail` or `gharchive`.
        rebase: Weeks to add to every timestamp, see `rebase_weeks`.
        progress: Called with the report so far, several times a second.

    Raises:
        ImportFileError: With `report`: the file cannot be read, or is damaged from some point on.
            Everything before that point was handed over.
    """
    given = parse_format(format)
    report = ImportReport(given or FileFormat.NDJSON)
    try:
        with _opened(path) as source:
            for file_format, records in _records(source, given):
                lines, malformed = _to_lines(records, file_format)
                if rebase:
                    lines = [shift(line, rebase) for line in lines]
                logger.log_lines(lines)
                report = ImportReport(
                    format=file_format,
                    lines=report.lines + len(records),
                    events=report.events + len(lines) - malformed,
                    malformed=report.malformed + malformed,
                    bytes_read=source.bytes_read,
                )
                if progress is not None:
                    progress(report)
    except (ImportFileError, OSError) as error:
        raise ImportFileError(f"{path}: {error}", report=report) from error
    return replace(report, bytes_read=source.bytes_read)


def rebase_weeks(path: Path | str, *, format: str = "auto", now: datetime | None = None) -> int:
    """Return the whole weeks that bring a file's last event into the seven days before now.

    Args:
        path: The file; it is read to its end, so it cannot be the standard input.
        format: As for `import_file`.
        now: With an offset; default: the present.

    Raises:
        ImportFileError: The file cannot be read, or holds no timestamp.
    """
    if str(path) == STDIN:
        raise ImportFileError("the standard input cannot be rebased: it can be read only once")
    last: datetime | None = None
    try:
        with _opened(path) as source:
            read = None
            for file_format, records in _records(source, parse_format(format)):
                read = read or timestamp_reader(TIMESTAMP_FIELD[file_format])
                for instant in map(read, records):
                    if instant is not None and (last is None or instant > last):
                        last = instant
    except (ImportFileError, OSError) as error:
        raise ImportFileError(f"{path}: {error}") from error
    if last is None:
        raise ImportFileError(f"{path}: no record has a timestamp that could be moved")
    return whole_weeks(last, now or datetime.now(UTC))


@contextmanager
def _opened(path: Path | str) -> Iterator[Source]:
    if str(path) == STDIN:
        yield Source(cast(BufferedIOBase, sys.stdin.buffer))
        return
    with Path(path).open("rb") as stream:
        yield Source(stream)


def _records(source: Source, given: FileFormat | None) -> Iterator[tuple[FileFormat, list[bytes]]]:
    """Yield the records of a file, some at a time, with what they are."""
    blocks = source.lines()
    first = next((lines for lines in blocks if lines), [])
    file_format = given or detect(first)
    if file_format is FileFormat.CLOUDTRAIL and is_cloudtrail_document(first):
        # One JSON document: it has to be read as a whole.
        yield file_format, split_document(b"\n".join(chain(first, *blocks)))
        return
    yield file_format, first
    for lines in blocks:
        yield file_format, lines


def _to_lines(records: list[bytes], file_format: FileFormat) -> tuple[list[bytes], int]:
    """Return the event lines, and how many of them are records passed on as they are."""
    to_event = TO_EVENT.get(file_format)
    if to_event is None:
        return records, 0
    lines: list[bytes] = []
    malformed = 0
    for record in records:
        try:
            lines.append(to_event(record))
        except (ValueError, RecursionError):
            lines.append(record)
            malformed += 1
    return lines, malformed
