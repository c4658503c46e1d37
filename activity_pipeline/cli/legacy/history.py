"""`legacy map` and `legacy import-history`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path

import click

from activity_pipeline.cli.legacy.options import DSN, OVERRIDES, application_dsn, overrides_path
from activity_pipeline.cli.options import DAYS_OPTION
from activity_pipeline.cli.output import json_option, print_json, print_pairs, print_table, rows_bar
from activity_pipeline.settings import Settings, load_settings

MAPPING = click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The mapping file; default: ACTIVITY_LEGACY_MAPPING.",
)


@click.command("map")
@DSN
@OVERRIDES
@click.option("--table", help="schema.table of the audit table; default: the one that there is.")
@click.option(
    "--check",
    "checked",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Hold this mapping against real rows instead of proposing one.",
)
@click.option("--rows", type=click.IntRange(1), default=1000, show_default=True, help="Rows to check.")
@json_option
@click.pass_context
def map_(
    context: click.Context,
    dsn: str | None,
    overrides: Path | None,
    table: str | None,
    checked: Path | None,
    rows: int,
    as_json: bool,
) -> None:
    """Propose which column of an audit table becomes what of an event, or check such a file on real rows.

    It only reads. With --check: exit 1 where rows make no event.

    Example: activity-pipeline legacy map > mapping.toml && activity-pipeline legacy map --check mapping.toml
    """
    from activity_pipeline.ingest import DrainConfig
    from activity_pipeline.legacy.mapping import check_mapping, propose_mapping, read_mapping, write_mapping
    from activity_pipeline.legacy.mapping.source import reading

    settings = load_settings()
    address = application_dsn(settings, dsn)
    if checked is None:
        name = table or _audit_table(address, overrides_path(settings, overrides))
        with reading(address) as connection:
            proposed = propose_mapping(connection, name)
        if as_json:
            print_json({field: getattr(proposed, field) for field in proposed.__struct_fields__})
        else:
            click.echo(write_mapping(proposed), nl=False)
        return
    mapping = read_mapping(checked)
    with reading(address) as connection:
        found = check_mapping(connection, mapping, rows=rows, rules=DrainConfig.of(settings).rules)
    if as_json:
        print_json(asdict(found))
    else:
        counts = {"rows looked at": found.rows, "make events": found.events, **found.refused}
        print_pairs(mapping.table, counts)
        print_table("in the metadata", [{"column": name} for name in found.metadata], empty="nothing")
        print_table("left behind", [{"column": name} for name in found.ignored], empty="nothing")
        for line in found.samples:
            click.echo(line)
        for reason, line in found.refused_samples:
            click.echo(f"{reason}: {line}")
    context.exit(1 if found.refused else 0)


@click.command("import-history")
@DSN
@MAPPING
@DAYS_OPTION
@json_option
@click.pass_context
def import_history(
    context: click.Context,
    /,
    dsn: str | None,
    mapping: Path | None,
    days: tuple[date, date] | None,
    as_json: bool,
) -> None:
    """Bring an old audit table into the archive day by day, and prove of each day that nothing is missing.

    It goes on where it was interrupted. Without --days: every day with rows that is over. Leave out days
    of which services have already logged the same changes as events. Exit 1 where rows are on no day,
    without a time or at infinity: those are not imported.

    Example: activity-pipeline legacy import-history --mapping mapping.toml --days 2025-01-01..2025-12-31
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.chain.signing import load_signer
    from activity_pipeline.events.days import day_range
    from activity_pipeline.hot.connection import open_hot
    from activity_pipeline.ingest import DrainConfig
    from activity_pipeline.legacy.history import import_day, importable_days, undated_rows
    from activity_pipeline.legacy.mapping import read_mapping
    from activity_pipeline.local.services import services

    loaded = load_settings()
    address = application_dsn(loaded, dsn)
    read = read_mapping(_mapping_path(loaded, mapping))
    span = days or importable_days(address, read)
    rows = []
    with (
        services(loaded) as settings,
        open_hot(settings.postgres_dsn) as (statements, bulk),
        rows_bar(read.table) as update,
    ):
        store, signer = ArchiveStore(settings.archive_root), load_signer(settings.archive_signing_key)
        rules = DrainConfig.of(settings).rules
        for day in day_range(*span) if span else ():

            def tell(count: int, day: date = day) -> None:
                update(str(day), count)

            imported = import_day(
                address, read, day, statements, bulk, store, rules=rules, signer=signer, tell=tell
            )
            rows.append(asdict(imported))
    undated = undated_rows(address, read)
    if as_json:
        print_json({"days": rows, "undated_rows": undated})
    else:
        print_table(read.table, [row for row in rows if row["rows"]], empty="no rows in these days")
    if undated:
        click.echo(f"{undated:,} rows of {read.table} are on no day: they are not imported", err=True)
        context.exit(1)


def _audit_table(dsn: str, overrides: Path | None) -> str:
    from activity_pipeline.errors import LegacyError
    from activity_pipeline.legacy.inventory import read_inventory, read_overrides

    tables = read_inventory(dsn, read_overrides(overrides)).audit_tables
    if len(tables) != 1:
        names = ", ".join(table.name for table in tables) or "none"
        raise LegacyError(f"which audit table? Give --table; there are: {names}")
    return tables[0].name


def _mapping_path(settings: Settings, path: Path | None) -> Path:
    from activity_pipeline.errors import SettingsError

    if path is None and not settings.legacy_mapping:
        raise SettingsError("which mapping? Set ACTIVITY_LEGACY_MAPPING, or give --mapping")
    return path or Path(settings.legacy_mapping).expanduser()


COMMANDS = [map_, import_history]
