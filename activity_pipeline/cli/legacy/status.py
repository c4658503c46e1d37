"""`legacy status`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activity_pipeline.cli.legacy.options import (
    DSN,
    FOLDER,
    OVERRIDES,
    application_dsn,
    overrides_path,
    parity_window,
    plan_folder,
)
from activity_pipeline.cli.options import DAYS_OPTION
from activity_pipeline.cli.output import json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.legacy.plan import Drift
    from activity_pipeline.legacy.progress import TableProgress

SINCE = timedelta(days=1)


@click.command("status")
@DSN
@OVERRIDES
@FOLDER
@DAYS_OPTION
@json_option
def legacy_status(
    dsn: str | None,
    overrides: Path | None,
    folder: Path | None,
    days: tuple[date, date] | None,
    as_json: bool,
) -> None:
    """Show which phase it is, the parity of each table, the triggers left, and the latency saved.

    And which triggers are new, other or gone since the plan was made.

    Example: activity-pipeline legacy status --days 2026-03-01..2026-03-07
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.legacy.inventory import read_inventory, read_overrides
    from activity_pipeline.legacy.plan import find_plan
    from activity_pipeline.legacy.progress import read_progress
    from activity_pipeline.local.services import services

    settings = load_settings()
    address, window = application_dsn(settings, dsn), parity_window(days)
    planned = find_plan(plan_folder(settings, folder))
    found = read_inventory(address, read_overrides(overrides_path(settings, overrides)))
    with (
        services(settings) as complete,
        connect(complete.postgres_dsn) as ours,
        connect(address) as application,
    ):
        seen = read_progress(application, ours, found, planned, window, datetime.now(UTC) - SINCE)
    phases = [{**asdict(phase), "state": phase.state} for phase in seen.phases]
    if as_json:
        tables = [asdict(table) for table in seen.tables]
        figures = {"phase": seen.phase, "triggers_left": seen.left, "saved_ms": seen.saved_ms}
        drift = seen.drift.as_dict() if seen.drift else None
        lists = {"phases": phases, "tables": tables, "undecided": seen.undecided, "drift": drift}
        print_json({**figures, **lists})
        return
    print_table("phases", phases)
    print_table(f"tables, compared over {window[0]} to {window[1]}", [_row(table) for table in seen.tables])
    print_pairs(
        "",
        {
            "triggers left": seen.left,
            "undecided": ", ".join(seen.undecided) or "none",
            **(_drifted(seen.drift) if seen.drift else {"the plan": "was not made"}),
            "saved": "not measured" if seen.saved_ms is None else f"{seen.saved_ms:.3f} ms a changed row",
        },
    )


def _drifted(drift: Drift) -> dict[str, str]:
    return {f"{kind} since the plan": ", ".join(keys) or "none" for kind, keys in drift.as_dict().items()}


def _row(table: TableProgress) -> dict[str, Any]:
    parity = table.parity
    return {
        "table": table.table_name,
        "dropped": table.dropped,
        "left": table.left,
        "matched": parity.matched if parity else None,
        "missing": parity.missing if parity else None,
        "extra": parity.extra if parity else None,
        "different": parity.different if parity else None,
        "bypassed": table.bypassed,
        "saved ms": table.saved_ms,
    }


COMMANDS = [legacy_status]
