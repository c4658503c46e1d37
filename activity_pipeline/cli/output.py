"""Printing: for a person as tables, for a machine as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

SHOWN_DAYS = 7
MOST_ROWS = 50
Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(command)


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def shown_days(days: tuple[date, date] | None) -> tuple[date, date]:
    """Return the days that were asked for, by default the last week."""
    from activity_pipeline.events.days import today

    return days or (today() - timedelta(days=SHOWN_DAYS), today())


def print_rows(title: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print the first rows as a table, or all of them as JSON."""
    if as_json:
        print_json(rows)
        return
    print_table(title, rows[:MOST_ROWS], empty="none")
    if len(rows) > MOST_ROWS:
        click.echo(f"… and {len(rows) - MOST_ROWS:,} more rows: --json prints them all")


def print_table(title: str, rows: Sequence[Mapping[str, Any]], *, empty: str = "nothing") -> None:
    """Print rows as a table, numbers to the right."""
    if not rows:
        click.echo(f"{title}: {empty}")
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None)
    for name, value in rows[0].items():
        table.add_column(
            name,
            justify="right" if isinstance(value, int | float) else "left",
            overflow="fold" if name == "sentence" else "ellipsis",
        )
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    plain_console().print(table)


def print_pairs(title: str, pairs: Mapping[str, object]) -> None:
    """Print names and values, a line each, whole numbers in a column."""
    if title:
        click.secho(title, bold=True)
    width = max(map(len, pairs), default=0)
    digits = max((len(_shown(value)) for value in pairs.values() if isinstance(value, int)), default=0)
    for name, value in pairs.items():
        shown = _shown(value)
        click.echo(f"  {name:<{width}}  {shown.rjust(digits) if isinstance(value, int) else shown}")


def human_bytes(size_bytes: float) -> str:
    """Write a size as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


@contextmanager
def progress_bar(label: str, total_bytes: int | None) -> Iterator[Callable[[int, str], None]]:
    """Show a bar on stderr where it is a terminal; yields `update(bytes_done, remark)`."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[remark]}", markup=False),
    )
    with Progress(
        *columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
    ) as bar:
        task = bar.add_task(label, total=total_bytes, remark="")
        yield lambda done, remark: bar.update(task, completed=done, remark=remark)


@contextmanager
def count_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr where it is a terminal; yields `update(done, total)`."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
    ) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def rows_bar(label: str) -> Iterator[Callable[[str, int], None]]:
    """Show how it goes on stderr where it is a terminal; yields `update(remark, rows)`."""
    columns = (
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[remark]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
    ) as bar:
        task = bar.add_task(label, total=None, remark="")
        yield lambda remark, rows: bar.update(task, remark=f"{remark}: {rows:,} rows")


def plain_console() -> Console:
    """Return where tables go. What stands in brackets or between colons is data, not rich's markup."""
    # Off a terminal a table is as wide as it needs to be, so that no word is cut in a file or a pipe.
    width = None if sys.stdout.isatty() else 200
    return Console(width=width, soft_wrap=False, markup=False, emoji=False)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    # Control characters are kept in the data and escaped wherever they are shown.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def _plain(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)
