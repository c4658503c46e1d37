"""`archive catalogue`."""

from __future__ import annotations

from dataclasses import asdict

import click

from activity_pipeline.cli.output import human_bytes, json_option, print_json, print_pairs
from activity_pipeline.settings import load_settings


@click.command()
@click.option("--root", help="The archive's folder or URL; default: ACTIVITY_ARCHIVE_URL.")
@json_option
def catalogue(root: str | None, as_json: bool) -> None:
    """Register the archive's files as an Apache Iceberg table, without a copy of them and without a server.

    Run it again when the archive has changed: the table is then that of the files of now, with no history
    that would point to erased ones. Engines open it by its path, or a catalogue of yours takes its metadata
    in with register_table. Needs the extra `iceberg`.

    Example: activity-pipeline archive catalogue
    """
    from activity_pipeline.archive.analyst.catalogue import register

    registered = register(root or load_settings().archive_root)
    figures = asdict(registered)
    if as_json:
        print_json(figures)
    else:
        size = human_bytes(registered.size_bytes)
        print_pairs("registered" if registered.is_new else "unchanged", {**figures, "size_bytes": size})


COMMANDS = [catalogue]
