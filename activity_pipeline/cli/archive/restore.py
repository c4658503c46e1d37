"""`archive restore` and `archive expire`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from activity_pipeline.cli.options import DaysType, TtlType
from activity_pipeline.cli.output import count_bar, json_option, print_json, print_table
from activity_pipeline.settings import Settings, load_settings


@click.command()
@click.option("--days", type=DaysType(), required=True, help="These days: 2026-03-01..2026-03-31.")
@click.option(
    "--ttl",
    type=TtlType("to give days back at once use --drop"),
    default="7d",
    show_default=True,
    help="How long they stay: 30m, 12h, 7d, 2w.",
)
@click.option("--drop", is_flag=True, help="Give restored days back early instead.")
@json_option
def restore(days: tuple[date, date], ttl: timedelta, drop: bool, as_json: bool) -> None:
    """Bring archived days back to Postgres, where the view activity_logs has them until their time is over.

    Each day is verified: the bytes of its files, and the content that Postgres took from them. A day that
    is restored already stays for longer. Days that are not archived are named; exit 1 where none is.

    Example: activity-pipeline archive restore --days 2026-03-01..2026-03-07 --ttl 12h
    """
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings:
        if drop:
            _print_dropped(_drop(settings, days), as_json)
            return
        rows, missing = _restore(settings, days, ttl)
    if as_json:
        print_json({"restored": rows, "not_archived": missing})
    else:
        print_table(f"{len(rows):,} days restored", rows)
        if missing:
            click.echo(f"not archived, or still in Postgres: {', '.join(missing)}")


def _restore(
    settings: Settings, days: tuple[date, date], ttl: timedelta
) -> tuple[list[dict[str, Any]], list[str]]:
    """Restore; return a row per day, and the other days of the range as ranges."""
    from activity_pipeline.archive import ArchiveStore, restore_days
    from activity_pipeline.archive.days.restore import restorable_days
    from activity_pipeline.errors import ArchiveError
    from activity_pipeline.events.days import day_range
    from activity_pipeline.hot.connection import open_hot

    rows: list[dict[str, Any]] = []
    with open_hot(settings.postgres_dsn) as (statements, bulk), count_bar("restoring") as update:
        wanted = [day for day in restorable_days(statements) if days[0] <= day <= days[1]]
        if not wanted:
            raise ArchiveError(f"none of the days {_written(days)} is archived", days=days)
        update(0, len(wanted))
        for restored in restore_days(statements, bulk, ArchiveStore(settings.archive_root), wanted, ttl):
            what = "extended" if restored.extended else "restored"
            rows.append({"day": restored.day, "what": what, "rows": restored.rows, "until": restored.until})
            update(len(rows), len(wanted))
    return rows, _folded(set(day_range(*days)) - set(wanted))


def _drop(settings: Settings, days: tuple[date, date]) -> list[date]:
    from activity_pipeline.archive.days.restore import give_back_days, restorable_days
    from activity_pipeline.hot.connection import connect

    with connect(settings.postgres_dsn) as statements:
        wanted = [day for day in restorable_days(statements) if days[0] <= day <= days[1]]
        return give_back_days(statements, wanted)


@click.command()
@json_option
def expire(as_json: bool) -> None:
    """Drop the restored days whose time is over; `archive run` begins with it too.

    Exit 1 where queries read them for longer than a few seconds: they stay for the next time.

    Example: activity-pipeline archive expire
    """
    from activity_pipeline.archive import expire_days
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        dropped = expire_days(statements, datetime.now(UTC))
    _print_dropped(dropped, as_json)


def _print_dropped(days: list[date], as_json: bool) -> None:
    if as_json:
        print_json({"dropped": days})
    else:
        click.echo(f"{len(days):,} restored days dropped{': ' if days else ''}{', '.join(_folded(days))}")


def _folded(days: Iterable[date]) -> list[str]:
    from activity_pipeline.events.days import ranges

    return [_written(span) for span in ranges(days)]


def _written(span: tuple[date, date]) -> str:
    first, last = span
    return f"{first}" if first == last else f"{first}..{last}"


COMMANDS = [restore, expire]
