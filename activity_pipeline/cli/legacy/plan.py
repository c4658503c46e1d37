"""`legacy plan`."""

from __future__ import annotations

from pathlib import Path

import click

from activity_pipeline.cli.legacy.options import (
    DSN,
    FOLDER,
    OVERRIDES,
    application_dsn,
    overrides_path,
    plan_folder,
)
from activity_pipeline.cli.output import json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings


@click.command()
@DSN
@OVERRIDES
@FOLDER
@click.option("--sample", is_flag=True, help="Measure triggers on a few rows, in transactions rolled back.")
@click.option("--replace", is_flag=True, help="Write over a plan that is there.")
@json_option
def plan(
    dsn: str | None, overrides: Path | None, folder: Path | None, sample: bool, replace: bool, as_json: bool
) -> None:
    """Write the phases in which audit triggers go as SQL to review, each with the way back beside it.

    Example: activity-pipeline legacy plan --plan legacy-plan --sample
    """
    from activity_pipeline.legacy.inventory import read_inventory, read_overrides
    from activity_pipeline.legacy.plan import make_plan, write_plan

    settings = load_settings()
    found = read_inventory(
        application_dsn(settings, dsn), read_overrides(overrides_path(settings, overrides)), sample=sample
    )
    made, into = make_plan(found), plan_folder(settings, folder)
    files = write_plan(made, into, replace=replace)
    phases = [
        {"phase": each.number, "name": each.name, "tables": len(each.tables), "triggers": each.triggers}
        for each in made.phases
    ]
    if as_json:
        print_json({"phases": phases, "undecided": made.undecided, "files": [str(path) for path in files]})
        return
    print_table(str(into), phases)
    if made.undecided:
        print_pairs("they stay until the override file says what they are", made.undecided)


COMMANDS = [plan]
