"""Options that several commands have."""

from __future__ import annotations

from datetime import date
from typing import Any

import click


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


DAYS_OPTION = click.option("--days", type=DaysType(), help="Only these days: 2026-03-01..2026-03-31.")
