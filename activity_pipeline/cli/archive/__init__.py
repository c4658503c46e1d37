"""`archive …`: cold days in Parquet."""

from __future__ import annotations

import click

from activity_pipeline.cli.archive import analyst, days, erase, prove, restore


@click.group()
def archive() -> None:
    """Cold days in Parquet."""


for command in (*days.COMMANDS, *restore.COMMANDS, *prove.COMMANDS, *erase.COMMANDS, *analyst.COMMANDS):
    archive.add_command(command)

COMMANDS = [archive]
