"""Event ids: UUIDv7 (RFC 9562), so that ids made later sort later and indexes stay compact."""

from __future__ import annotations

import os
import time

_VARIANTS = "89ab"


def new_id() -> str:
    """Return a new UUIDv7 in its canonical text form.

    48 bits of Unix milliseconds, version 7, 12 random bits, the RFC variant and 62 random
    bits (RFC 9562, section 5.7). Written digit by digit because `uuid.UUID` or arithmetic on
    128 bits costs more than all the rest of logging an event.
    """
    octets = (time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10)
    digits = octets.hex()
    variant = _VARIANTS[octets[8] >> 6]
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
