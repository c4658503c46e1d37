"""Event ids: UUIDv7 (RFC 9562), so that ids made later sort later and indexes stay compact."""

from __future__ import annotations

import os
import time

_AHEAD = 256
_OCTETS = 10
_DIGITS = 2 * _OCTETS
_TO_VERSION = bytes(0x70 | octet & 0x0F for octet in range(256))
_TO_VARIANT = bytes(0x80 | octet & 0x3F for octet in range(256))

_tails: list[str] = []
_latest: tuple[int, str] = (0, "")


def new_id() -> str:
    """Return a new UUIDv7 in its canonical text form.

    48 bits of Unix milliseconds, version 7, 12 random bits, the RFC variant and 62 random
    bits (RFC 9562, section 5.7). Written digit by digit because `uuid.UUID` or arithmetic on
    128 bits costs more than all the rest of logging an event.
    """
    global _latest  # noqa: PLW0603 one tuple, so that threads never see a half of it
    try:
        tail = _tails.pop()
    except IndexError:
        tail = _draw()
    milliseconds = time.time_ns() // 1_000_000
    known, head = _latest
    if milliseconds != known:
        digits = f"{milliseconds:012x}"
        head = f"{digits[:8]}-{digits[8:]}"
        _latest = (milliseconds, head)
    return f"{head}-{tail[:4]}-{tail[4:8]}-{tail[8:]}"


def _draw() -> str:
    """Draw random digits for many ids: asking the kernel for each lets other threads run in between."""
    octets = bytearray(os.urandom(_AHEAD * _OCTETS))
    octets[0::_OCTETS] = octets[0::_OCTETS].translate(_TO_VERSION)
    octets[2::_OCTETS] = octets[2::_OCTETS].translate(_TO_VARIANT)
    digits = octets.hex()
    first, *others = (digits[start : start + _DIGITS] for start in range(0, len(digits), _DIGITS))
    _tails.extend(others)
    return first


# A forked child must not give out the ids that its parent gives out.
os.register_at_fork(after_in_child=_tails.clear)
