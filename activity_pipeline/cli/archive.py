"""`archive list`, `archive run`, `archive verify` and `archive keygen`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
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
from activity_pipeline.settings import Settings, load_settings, split_list


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
    from activity_pipeline.archive.signing import load_signer
    from activity_pipeline.archive.views import publish_views
    from activity_pipeline.events.days import hot_since, today
    from activity_pipeline.hot.connection import open_hot
    from activity_pipeline.hot.days import due_days
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, open_hot(settings.postgres_dsn) as (statements, bulk):
        store = ArchiveStore(settings.archive_root)
        due = due_days(statements, hot_since=hot_since(today(), settings.hot_days))
        wanted = [day for day in due if days is None or days[0] <= day <= days[1]]
        archived = archive_days(statements, bulk, store, wanted, load_signer(settings.archive_signing_key))
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


@archive.command()
@DAYS_OPTION
@click.option("--deep", is_flag=True, help="Read every row back and compare the content, too.")
@click.option("--root", help="The archive's folder or URL; default: ACTIVITY_ARCHIVE_URL.")
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    help="A key to trust, PEM; default: ACTIVITY_ARCHIVE_PUBLIC_KEYS, or that of the embedded servers.",
)
@click.option("--noted", help="SHA-256 of a head noted earlier, which the chain must go through.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    days: tuple[date, date] | None,
    deep: bool,
    root: str | None,
    public_keys: tuple[str, ...],
    noted: str | None,
    as_json: bool,
) -> None:
    """Verify an archive by its own files, without any server: chain, signatures, bytes and content.

    Note the head that it prints: an archive cannot tell by itself that it is an older copy of itself.
    Exit 1 where anything is not as it was published.

    Example: activity-pipeline archive verify --root /mnt/copy --deep
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.signing import load_public
    from activity_pipeline.archive.verify import verify as verify_archive

    settings = load_settings()
    store = ArchiveStore(root or settings.archive_root)
    paths = public_keys or split_list(settings.archive_public_keys) or _local_keys(settings, root)
    keys = [load_public(path) for path in paths]
    with count_bar("verifying") as update:
        found = verify_archive(store, days=days, deep=deep, public=keys, noted=noted, progress=update)
    head = f"{found.head.name} {found.head.sha256}" if found.head else ""
    figures = {
        "manifests": found.manifests,
        "signed": found.signed,
        "trusted_keys": len(keys),
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


def _local_keys(settings: Settings, root: str | None) -> list[str]:
    """Return the public key of the embedded servers' archive, unless it is another archive's turn."""
    public = settings.local_key_path.with_name(f"{settings.local_key_path.name}.pub")
    return [str(public)] if root is None and public.exists() else []


@archive.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def keygen(path: Path) -> None:
    """Make a key that signs the archive: the private one at PATH, 0600, the public one at PATH.pub.

    Set ACTIVITY_ARCHIVE_SIGNING_KEY to PATH where the archive is written; whoever verifies needs PATH.pub.

    Example: activity-pipeline archive keygen /etc/activity/archive.pem
    """
    from activity_pipeline.archive.signing import key_id, make_key

    try:
        signer = make_key(path.expanduser())
    except OSError as error:
        raise click.ClickException(f"no key was made: {error}") from error
    print_pairs("key", {"id": key_id(signer.public), "private": path, "public": f"{path}.pub"})


COMMANDS = [archive]
