"""The content hash of a set of events: independent of order, additive, the same in Postgres and DuckDB.

Each event is written as bytes and hashed with SHA-256:

    id             16 bytes
    timestamp      8 bytes, big-endian: microseconds since 2000-01-01T00:00:00Z
    lengths        8 bytes, big-endian: the bytes of the texts, from the lowest bit on: source 9 bits,
                   action 10, entity_type and entity_id 9 and 12 (one more than the length, 0 for null),
                   status 8; 1 bit for whether there is a user_id
    user_id        16 bytes, or none
    source, action, entity_type, entity_id, status, metadata as Postgres writes jsonb: UTF-8, none for null

No two events are written alike: what is before the texts tells where each begins, and metadata that
is not null begins with a brace. The first and the second 60 bits of the hashes are summed modulo 2^60.
Equal sets have equal sums, and the sum of two disjoint sets is the sum of their hashes (an incremental
multiset hash: Clarke et al., Asiacrypt 2003). It finds accidents; forgery is what the manifest's
SHA-256 chain is for.
"""

from __future__ import annotations

from dataclasses import dataclass

LANE = 1 << 60


@dataclass(frozen=True, slots=True)
class Content:
    """What a set of events holds.

    Attributes:
        rows: Number of events.
        lanes: The two sums, each below 2^60.
    """

    rows: int
    lanes: tuple[int, int]

    @classmethod
    def of(cls, rows: int, first: int, second: int) -> Content:
        """Fold sums as a database returns them, of any size, into lanes."""
        return cls(rows, (int(first) % LANE, int(second) % LANE))

    def __add__(self, other: Content) -> Content:
        """Return the content of the disjoint union."""
        return Content.of(
            self.rows + other.rows, self.lanes[0] + other.lanes[0], self.lanes[1] + other.lanes[1]
        )

    @property
    def digest(self) -> str:
        """The lanes as 30 hexadecimal digits."""
        return f"{self.lanes[0]:015x}{self.lanes[1]:015x}"

    @classmethod
    def parse(cls, rows: int, digest: str) -> Content:
        """Read `digest` back; raises ValueError where it is not 30 hexadecimal digits."""
        if len(digest) != 30:
            raise ValueError(f"a content hash has 30 hexadecimal digits, not {digest!r}")
        return cls(rows, (int(digest[:15], 16), int(digest[15:], 16)))


EMPTY = Content(0, (0, 0))
