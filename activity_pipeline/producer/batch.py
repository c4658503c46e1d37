"""A batch: the events of one frame on their way."""

from __future__ import annotations

import msgspec


class Batch(msgspec.Struct, frozen=True):
    """The events of one frame before they are encoded.

    Attributes:
        sequence: Sequence number of the first event; the drops have used up those before it.
        lines: The events, each one NDJSON line without its newline.
        size_bytes: Bytes of all lines.
        drops: Events dropped since the batch before, by reason.
    """

    sequence: int
    lines: list[bytes]
    size_bytes: int
    drops: dict[str, int]

    @property
    def end(self) -> int:
        """The sequence number after the last event."""
        return self.sequence + len(self.lines)

    def encode(self, producer: str) -> dict[bytes, bytes]:
        """Return the fields of the stream entry."""
        # Here because the first event is logged sooner without it.
        from activity_pipeline.events import frame as wire  # noqa: PLC0415

        return wire.encode(
            wire.Frame(
                body=b"\n".join((*self.lines, b"")),
                count=len(self.lines),
                producer=producer,
                sequence=self.sequence,
                drops=self.drops,
            )
        )
