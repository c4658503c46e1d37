"""API keys: made, and told from others.

    act_<prefix>_<secret>     act_4f1c09ab77d2_ySx…

The prefix is public and finds the row. The secret is 256 random bits; of it only the SHA-256 is kept.
That is enough: what makes passwords need salt and a slow hash is that they can be guessed, and a slow
hash would let anybody keep this service busy by sending keys that do not exist.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from activity_pipeline.hot.api_keys import ApiKey

REFRESH_S = 5.0
"""How often the keys are read: so long a revoked key may go on."""

READ_AGAIN_S = 0.1
"""How soon they are read again for a key that is not known."""

STALE_S = 300.0
"""How long they are believed while Postgres is away: events are taken meanwhile, Redis has them."""

NOTE_USE_S = 60.0
"""How often the use of one key is written down."""

_KEY = re.compile(r"act_(?P<prefix>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)
_NO_KEY = bytes(32)


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A key in full, to be shown once."""

    prefix: str
    text: str

    @property
    def sha256(self) -> bytes:
        """What is kept of it."""
        return digest(self.text.removeprefix(f"act_{self.prefix}_"))


def make_key() -> Secret:
    """Make a key that nobody has."""
    prefix = secrets.token_hex(6)
    return Secret(prefix, f"act_{prefix}_{secrets.token_urlsafe(32)}")


def digest(secret: str) -> bytes:
    """Return what is kept of a key's secret part."""
    return hashlib.sha256(secret.encode()).digest()


class KeyRing:
    """The keys of this moment, as of the last time they were read. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any; `clock` is in seconds."""
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._read_at: float | None = None
        self._used: set[str] = set()
        self._noted: dict[str, float] = {}

    def put(self, keys: Iterable[ApiKey]) -> None:
        """Take over what was read just now."""
        self._keys = {key.prefix: key for key in keys}
        self._read_at = self._clock()
        self._noted = {prefix: at for prefix, at in self._noted.items() if prefix in self._keys}

    @property
    def age_s(self) -> float:
        """How long ago the keys were read, in seconds; infinite where they never were."""
        return float("inf") if self._read_at is None else self._clock() - self._read_at

    def find(self, text: str) -> ApiKey | None:
        """Return the key that opens, None for any other text; takes as long for a wrong as for no secret."""
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        key = self._keys.get(match["prefix"])
        known = _NO_KEY if key is None else key.secret_sha256
        if not hmac.compare_digest(digest(match["secret"]), known) or key is None:
            return None
        if not key.opens_at(datetime.now(UTC)):
            return None
        self._used.add(key.prefix)
        return key

    def knows(self, text: str) -> bool:
        """Whether there is a key of that prefix: one that was just made is not known yet."""
        match = _KEY.fullmatch(text)
        return match is None or match["prefix"] in self._keys

    def take_used(self) -> list[str]:
        """Return the keys whose use is due to be written down, and take it that it is."""
        now = self._clock()
        due = [prefix for prefix in self._used if now - self._noted.get(prefix, float("-inf")) >= NOTE_USE_S]
        self._noted.update(dict.fromkeys(due, now))
        self._used.difference_update(due)
        return due
