"""`legacy inventory`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from activity_pipeline.cli.legacy.options import DSN, OVERRIDES, application_dsn, overrides_path
from activity_pipeline.cli.output import human_bytes, json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings

SHOWN = ("table", "trigger", "events", "function", "verdict", "phase", "columns", "ms", "rows a day", "why")


@click.command()
@DSN
@OVERRIDES
@click.option("--sample", is_flag=True, help="Measure triggers on a few rows, in transactions rolled back.")
@json_option
def inventory(dsn: str | None, overrides: Path | None, sample: bool, as_json: bool) -> None:
    """List an application's triggers: which of them audit, which say the same twice, what they cost.

    It only reads, unless --sample is given; then rows are written anew and taken back.

    Example: activity-pipeline legacy inventory --dsn postgresql://app@db/shop
    """
    from activity_pipeline.legacy.inventory import read_inventory, read_overrides

    settings = load_settings()
    found = read_inventory(
        application_dsn(settings, dsn), read_overrides(overrides_path(settings, overrides)), sample=sample
    )
    tables = [asdict(table) for table in found.audit_tables]
    if as_json:
        print_json({"counts": found.counts(), "audit_tables": tables, "triggers": found.rows()})
        return
    print_table("triggers", [{name: row[name] for name in SHOWN} for row in found.rows()], empty="none")
    for table in found.audit_tables:
        a_day = "not known" if table.rows_a_day is None else f"{table.rows_a_day:,.0f} rows"
        bytes_ = "" if table.bytes_a_day is None else f", {human_bytes(table.bytes_a_day)}"
        size = f"{table.rows:,} rows, {human_bytes(table.size_bytes)}"
        print_pairs(table.name, {"columns": table.columns, "holds": size, "a day": f"{a_day}{bytes_}"})
    print_pairs("triggers by verdict and phase", found.counts())


COMMANDS = [inventory]
