"""`legacy …`: the way off an application's audit triggers."""

from __future__ import annotations

import click

from activity_pipeline.cli.legacy import cutover, inventory, plan, sentinel, status


@click.group()
def legacy() -> None:
    """The way off an application's audit triggers, with a proof for each step and a way back."""


for command in (
    *inventory.COMMANDS,
    *plan.COMMANDS,
    *cutover.COMMANDS,
    *sentinel.COMMANDS,
    *status.COMMANDS,
):
    legacy.add_command(command)

COMMANDS = [legacy]
