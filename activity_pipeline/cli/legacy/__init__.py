"""`legacy …`: the way off an application's audit triggers."""

from __future__ import annotations

import click

MODULES: tuple[object, ...] = ()


@click.group()
def legacy() -> None:
    """The way off an application's audit triggers, with a proof for each step and a way back."""


COMMANDS = [legacy]
