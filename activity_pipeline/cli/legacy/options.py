"""Options that several commands of the legacy kit have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

from activity_pipeline.settings import Settings

PARITY_DAYS = 7
DSN = click.option("--dsn", help="libpq URI of the application's database; default: ACTIVITY_LEGACY_DSN.")
OVERRIDES = click.option(
    "--overrides",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file of what the catalogue does not say; default: ACTIVITY_LEGACY_OVERRIDES.",
)
FOLDER = click.option(
    "--plan",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the plan; default: ACTIVITY_LEGACY_PLAN, else legacy-plan.",
)


def phase_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--phase`."""
    return click.option("--phase", type=click.IntRange(1), required=True, help="Number of the phase.")(
        command
    )


def application_dsn(settings: Settings, dsn: str | None) -> str:
    """Return the address of the application's database.

    Raises:
        SettingsError: Nobody has said it.
    """
    from activity_pipeline.errors import SettingsError

    if found := dsn or settings.legacy_dsn:
        return found
    raise SettingsError("which application? Set ACTIVITY_LEGACY_DSN, or give --dsn")


def overrides_path(settings: Settings, path: Path | None) -> Path | None:
    """Return the override file, if there is any."""
    return path or (Path(settings.legacy_overrides).expanduser() if settings.legacy_overrides else None)


def plan_folder(settings: Settings, folder: Path | None) -> Path:
    """Return the folder of the plan."""
    return folder or Path(settings.legacy_plan or "legacy-plan").expanduser()


def parity_window(days: tuple[date, date] | None) -> tuple[date, date]:
    """Return the days over which there must be parity: those asked for, or the last full week."""
    from activity_pipeline.events.days import ONE_DAY, today

    return days or (today() - timedelta(days=PARITY_DAYS), today() - ONE_DAY)
