"""`archive list`, `archive run` and `archive verify`."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from activity_pipeline.cli.output import (
    count_bar,
    human_bytes,
    json_option,
    print_json,
    print_pairs,
    print_table,
)
from activity_pipeline.settings import load_settings


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


@click.group()
def archive() -> None:
    """Cold days in Parquet."""


@archive.command("list")
@DAYS_OPTION
@json_option
def list_(days: tuple[date, date] | None, as_json: bool) -> None:
    """Show each day: where it lives, its rows and its size.

    Example: activity-pipeline archive list --days 2026-03-01..2026-03-31
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.hot.days import list_days
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        shown = [day for day in list_days(statements) if days is None or days[0] <= day.day <= days[1]]
    rows = [
        {
            "day": day.day,
            "state": day.state,
            "generation": day.generation,
            "archived_rows": day.archived_rows,
            "archived_bytes": day.archived_bytes,
        }
        for day in shown
    ]
    if as_json:
        print_json(rows)
    else:
        total = human_bytes(sum(day.archived_bytes for day in shown))
        print_table(f"{len(rows):,} days, {total} of Parquet", rows, empty="no days yet")


@archive.command()
@DAYS_OPTION
@json_option
def run(days: tuple[date, date] | None, as_json: bool) -> None:
    """Export the days that are due and let them through the gate out of Postgres.

    Due are days out of the hot window, and days that late events have touched.

    Example: activity-pipeline archive run
    """
    from activity_pipeline.archive import ArchiveStore, archive_days
    from activity_pipeline.archive.views import publish_views
    from activity_pipeline.events.days import hot_since, today
    from activity_pipeline.hot.connection import open_hot
    from activity_pipeline.hot.days import due_days
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, open_hot(settings.postgres_dsn) as (statements, bulk):
        store = ArchiveStore(settings.archive_root)
        due = due_days(statements, hot_since=hot_since(today(), settings.hot_days))
        wanted = [day for day in due if days is None or days[0] <= day <= days[1]]
        archived = archive_days(statements, bulk, store, wanted)
        publish_views(store)
    rows = [
        {
            "day": each.day,
            "generation": each.manifest.generation,
            "added_rows": each.added_rows,
            "rows": each.manifest.row_count,
            "bytes": each.manifest.size_bytes,
        }
        for each in archived
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(f"{len(rows):,} days archived", rows, empty="no day is due")


@archive.command()
@DAYS_OPTION
@click.option("--deep", is_flag=True, help="Read every row back and compare the content, too.")
@click.option("--root", help="The archive's folder or URL; default: ACTIVITY_ARCHIVE_URL.")
@json_option
@click.pass_context
def verify(
    context: click.Context, days: tuple[date, date] | None, deep: bool, root: str | None, as_json: bool
) -> None:
    """Verify an archive by its own files, without any server: manifests, their chain, bytes and content.

    Note the head that it prints: an archive cannot tell by itself that its last manifests were removed.
    Exit 1 where anything is not as it was published.

    Example: activity-pipeline archive verify --root /mnt/copy --deep
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.verify import verify as verify_archive

    store = ArchiveStore(root or load_settings().archive_root)
    with count_bar("verifying") as update:
        found = verify_archive(store, days=days, deep=deep, progress=update)
    head = f"{found.head.name} {found.head.sha256}" if found.head else ""
    figures = {
        "manifests": found.manifests,
        "days": found.days,
        "files": found.files,
        "size_bytes": found.size_bytes,
        "rows": found.rows,
        "head": head,
    }
    faults = [{"path": fault.path, "what": fault.what} for fault in found.faults]
    if as_json:
        print_json({**figures, "faults": faults})
    else:
        print_pairs(store.url, {**figures, "size_bytes": human_bytes(found.size_bytes)})
        print_table("faults", faults, empty="none, all is as it was published")
    context.exit(1 if faults else 0)


COMMANDS = [archive]
