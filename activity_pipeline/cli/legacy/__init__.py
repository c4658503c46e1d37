"""`legacy …`: the way off an application's audit triggers."""

from __future__ import annotations

import click

from activity_pipeline.cli.legacy import compare, cutover, example, history, inventory, plan, sentinel, status


@click.group()
def legacy() -> None:
    """The way off an application's audit triggers, with a proof for each step and a way back."""


for command in (
    *inventory.COMMANDS,
    *plan.COMMANDS,
    *compare.COMMANDS,
    *cutover.COMMANDS,
    *sentinel.COMMANDS,
    *status.COMMANDS,
    *history.COMMANDS,
    *example.COMMANDS,
):
    legacy.add_command(command)

COMMANDS = [legacy]
