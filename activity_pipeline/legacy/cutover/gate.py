"""The gate of a phase: over a window of days events tell all that the triggers tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from activity_pipeline.errors import ParityError
from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.legacy import Parity, read_parity

Window = tuple[date, date]


class ParitySource(Protocol):
    """Says what was compared."""

    def parity(self, window: Window) -> Mapping[str, Parity]:
        """Return the parity of each table that was compared, by schema.table."""


@dataclass(frozen=True, slots=True)
class StoredParity:
    """What `legacy compare` has left in Postgres."""

    statements: Statements

    def parity(self, window: Window) -> Mapping[str, Parity]:
        """Read activity_legacy_parity."""
        return read_parity(self.statements, *window)


def faults(
    found: Mapping[str, Parity], tables: Iterable[str], window: Window, *, allow_idle: bool = False
) -> dict[str, str]:
    """Return what shuts the gate, by table; nothing opens it.

    Args:
        found: What was compared.
        tables: schema.table of each table of the phase.
        window: First and last day.
        allow_idle: Whether a table of which nothing was compared may pass: nobody has written it.
    """
    compared = {day for each in found.values() for day in each.days}
    days = [date.fromordinal(n) for n in range(window[0].toordinal(), window[1].toordinal() + 1)]
    shut = {day.isoformat(): "was not compared" for day in days if day not in compared}
    for name in tables:
        parity = found.get(name)
        if parity is None:
            if not allow_idle:
                shut[name] = "was never compared in these days; --allow-idle where nobody writes it"
        elif not parity.is_full:
            shut[name] = f"{parity.missing:,} missing, {parity.extra:,} extra, {parity.different:,} different"
        elif parity.unfinished:
            shut[name] = f"{parity.unfinished[0]} was compared before it was over"
    return shut


def require_parity(
    source: ParitySource, tables: Iterable[str], window: Window, *, allow_idle: bool = False
) -> dict[str, Parity]:
    """Return the parity of a phase's tables.

    Raises:
        ParityError: Something shuts the gate; `faults` says what, by table.
    """
    names = list(tables)
    found = source.parity(window)
    if shut := faults(found, names, window, allow_idle=allow_idle):
        shown = "; ".join(f"{name} {why}" for name, why in list(shut.items())[:3])
        more = f"; and {len(shut) - 3} more" if len(shut) > 3 else ""
        days = f"{window[0]}" if window[1] - window[0] < ONE_DAY else f"{window[0]} to {window[1]}"
        raise ParityError(f"no parity over {days}: {shown}{more}", faults=shut)
    return {name: found[name] for name in names if name in found}
