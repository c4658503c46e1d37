"""`archive list`, `archive run` and `archive compact`."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click

from activity_pipeline.cli.options import DAYS_OPTION
from activity_pipeline.cli.output import human_bytes, json_option, print_json, print_table
from activity_pipeline.settings import load_settings


@click.command("list")
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
            "restored_until": day.restored_until,
        }
        for day in shown
    ]
    if as_json:
        print_json(rows)
    else:
        total = human_bytes(sum(day.archived_bytes for day in shown))
        print_table(f"{len(rows):,} days, {total} of Parquet", rows, empty="no days yet")


@click.command()
@DAYS_OPTION
@json_option
def run(days: tuple[date, date] | None, as_json: bool) -> None:
    """Export the days that are due and let them through the gate out of Postgres.

    Due are days out of the hot window, and days that late events have touched. Restored days whose time
    is over are dropped first.

    Example: activity-pipeline archive run
    """
    from activity_pipeline.archive import ArchiveStore, archive_days, expire_days
    from activity_pipeline.archive.analyst.views import publish_views
    from activity_pipeline.archive.chain.signing import load_signer
    from activity_pipeline.errors import StoreBusyError
    from activity_pipeline.events.days import hot_since, today
    from activity_pipeline.hot.connection import open_hot
    from activity_pipeline.hot.days import due_days
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, open_hot(settings.postgres_dsn) as (statements, bulk):
        store = ArchiveStore(settings.archive_root)
        try:
            expire_days(statements, datetime.now(UTC))
        except StoreBusyError as error:
            click.echo(f"warning: {error}", err=True)
        due = due_days(statements, hot_since=hot_since(today(), settings.hot_days))
        wanted = [day for day in due if days is None or days[0] <= day <= days[1]]
        signer = load_signer(settings.archive_signing_key)
        try:
            archived = archive_days(statements, bulk, store, wanted, signer)
        finally:
            publish_views(store)
    rows = [
        {
            "day": each.day,
            "generation": each.entry.generation,
            "added_rows": each.added_rows,
            "rows": each.entry.row_count,
            "bytes": each.entry.size_bytes,
        }
        for each in archived
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(f"{len(rows):,} days archived", rows, empty="no day is due")


@click.command()
@click.option(
    "--min-files", default=None, type=click.IntRange(2), help="Files that must become one to be worth it."
)
@json_option
def compact(min_files: int | None, as_json: bool) -> None:
    """Rewrite the files of thin days, and the generations of others, into fewer files with the same rows.

    Example: activity-pipeline archive compact
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.analyst.views import publish_views
    from activity_pipeline.archive.chain.signing import load_signer
    from activity_pipeline.archive.days.compact import MIN_FILES, compact
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        store = ArchiveStore(settings.archive_root)
        signer = load_signer(settings.archive_signing_key)
        rows = [
            {
                "file": file.path,
                "days": len(file.days),
                "rows": file.rows,
                "files_before": file.files,
                "bytes": file.size_bytes,
                "bytes_before": file.replaced_bytes,
            }
            for file in compact(statements, store, signer, min_files=min_files or MIN_FILES)
        ]
        publish_views(store)
    if as_json:
        print_json(rows)
    else:
        print_table(f"{len(rows):,} files written", rows, empty="nothing is worth compacting")


COMMANDS = [list_, run, compact]
