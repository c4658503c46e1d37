"""Options that several commands have."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import click

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LONGEST = timedelta(days=3653)


class DaysType(click.ParamType[tuple[date, date]]):
    """`2026-03-01` or `2026-03-01..2026-03-31`."""

    name = "A..B"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[date, date]:
        """Read a day or a range of days."""
        from activity_pipeline.errors import SettingsError
        from activity_pipeline.events.days import parse_days

        if isinstance(value, tuple):
            return value
        try:
            return parse_days(value)
        except SettingsError as error:
            self.fail(str(error), param, ctx)


class TtlType(click.ParamType[timedelta]):
    """`30m`, `12h`, `7d` or `2w`."""

    name = "TTL"

    def __init__(self, instead_of_none: str) -> None:
        """Say what to do instead of asking for no time at all."""
        self._instead_of_none = instead_of_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a time to live."""
        if isinstance(value, timedelta):
            return value
        if re.fullmatch(r"0+[mhdw]?", value):
            self.fail(self._instead_of_none, param, ctx)
        found = re.fullmatch(r"([0-9]{1,7})([mhdw])", value)
        if not found:
            self.fail(f"a time to live is written 30m, 12h, 7d or 2w, not {value!r}", param, ctx)
        ttl = int(found[1]) * UNITS[found[2]]
        if ttl > LONGEST:
            self.fail("ten years are the longest", param, ctx)
        return ttl


DAYS_OPTION = click.option("--days", type=DaysType(), help="Only these days: 2026-03-01..2026-03-31.")
