"""The file in which dead letters are mended: one JSON object a line, each with a letter's number.

    field          meaning
    id             number of the dead letter
    reason, why    for the reader; not looked at when the file comes back
    event          the line as it came, where it is JSON: mend it in place
    line           the line as text, where it is not
    line_base64    the line's bytes, where they are not UTF-8
    entry_base64   field e of a queue entry that could not be opened, and
    other_fields   its other fields, their values in base64

What comes back has one of event, line and line_base64. An entry is mended by as many objects with
its number as it holds events, one after the other, without entry_base64.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import msgspec

from activity_pipeline.errors import ImportFileError
from activity_pipeline.events import frame as wire
from activity_pipeline.events.model import REASON_TEXT, DeadLetterReason
from activity_pipeline.hot.dead_letters import DeadLetter


class MendingLine(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One line of the file."""

    id: int
    reason: str = ""
    why: str = ""
    event: msgspec.Raw = msgspec.Raw(b"")
    line: str | None = None
    line_base64: bytes | None = None
    entry_base64: bytes | None = None
    other_fields: dict[str, bytes] | None = None


def explain(reason: str) -> str:
    """Say what a reason means."""
    return REASON_TEXT[DeadLetterReason(reason)]


def write_letter(letter: DeadLetter) -> bytes:
    """Return a letter as a line of the file, without its newline; nothing of its bytes is lost."""
    line = MendingLine(id=letter.id, reason=letter.reason, why=explain(letter.reason))
    if letter.is_entry:
        line.entry_base64 = letter.line
        others = wire.unpack_other_fields(letter.other_fields) if letter.other_fields else {}
        line.other_fields = {name.decode(errors="backslashreplace"): value for name, value in others.items()}
    elif _is_json(letter.line):
        line.event = msgspec.Raw(letter.line)
    else:
        try:
            line.line = letter.line.decode()
        except UnicodeDecodeError:
            line.line_base64 = letter.line
    return msgspec.json.encode(line)


def read_mended(lines: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the numbers of letters, each with the lines that stand for it now.

    Raises:
        ImportFileError: A line is not as described above, with `line_number` from 1, or a number
            comes up again after another one. What was yielded before is good.
    """
    seen: set[int] = set()
    read = (_read(number, line) for number, line in enumerate(lines, 1) if line.strip())
    for letter_id, group in itertools.groupby(read, key=lambda one: one[0]):
        if letter_id in seen:
            raise ImportFileError(f"dead letter {letter_id} comes up twice: keep its lines together")
        seen.add(letter_id)
        yield letter_id, [line for _, line in group]


def _read(number: int, line: bytes) -> tuple[int, bytes]:
    try:
        mended = msgspec.json.decode(line, type=MendingLine)
    except msgspec.MsgspecError as error:
        raise ImportFileError(
            f"line {number} is not a mended dead letter: {error}", line_number=number
        ) from None
    if mended.entry_base64 is not None:
        raise ImportFileError(
            f"line {number}: dead letter {mended.id} is a queue entry: give its events, one a line",
            line_number=number,
        )
    given = [text for text in (bytes(mended.event), mended.line, mended.line_base64) if text]
    if len(given) != 1:
        raise ImportFileError(
            f"line {number}: a mended dead letter has one of event, line and line_base64", line_number=number
        )
    text = given[0].encode() if isinstance(given[0], str) else given[0]
    if b"\n" in text:
        raise ImportFileError(f"line {number}: a line holds no newline", line_number=number)
    return mended.id, text


def _is_json(line: bytes) -> bool:
    # A carriage return is white space to JSON, and the end of a line to many an editor.
    if b"\r" in line:
        return False
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True
