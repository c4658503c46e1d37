"""`bench producer|ingest|latency|archive`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from activity_pipeline.cli.output import json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import split_list

if TYPE_CHECKING:
    from activity_pipeline.bench.figures import Report

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def bench() -> None:
    """Measure this machine: both sides of each ratio in one run, in turns, on servers of their own."""


@bench.command()
@click.option("--events", type=click.IntRange(1_000), default=1_000_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@json_option
@click.pass_context
def ingest(context: click.Context, /, events: int, rounds: int, as_json: bool) -> None:
    """Time the drain against raw binary COPY and against INSERTs from a list; exit 1 off a target.

    Example: activity-pipeline bench ingest --events 200000 --json
    """
    from activity_pipeline.bench.ingest import measure_ingest

    _show(context, measure_ingest(events=events, rounds=rounds, say=_say), as_json=as_json)


@bench.command()
@click.option("--events", type=click.IntRange(1_000), default=50_000, show_default=True, help="Calls a side.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@json_option
@click.pass_context
def producer(context: click.Context, /, events: int, rounds: int, as_json: bool) -> None:
    """Time what logging costs its caller, beside the usual ways to do it; exit 1 off a target.

    Example: activity-pipeline bench producer --rounds 5
    """
    from activity_pipeline.bench.producer import measure_producer

    _show(context, measure_producer(events=events, rounds=rounds, say=_say), as_json=as_json)


@bench.command()
@click.option("--seconds", type=click.FloatRange(1), default=20.0, show_default=True, help="How long to log.")
@json_option
@click.pass_context
def latency(context: click.Context, /, seconds: float, as_json: bool) -> None:
    """Time events from `log()` to queryable at 5,000 a second; exit 1 off a target.

    Example: activity-pipeline bench latency --seconds 60
    """
    from activity_pipeline.bench.latency import measure_latency

    _show(context, measure_latency(seconds=seconds, say=_say), as_json=as_json)


@bench.command()
@click.option(
    "--rows", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="Rows of a day."
)
@click.option(
    "--large-rows",
    type=click.IntRange(1_000),
    default=10_000_000,
    show_default=True,
    help="Rows of the day for the memory, and of the cold year.",
)
@click.option(
    "--large/--no-large",
    default=False,
    show_default=True,
    help="With them; else these have --rows, too. Takes ten minutes and 10 GB more.",
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--only", help="Some of export,peers,size,memory,year,thin; default: all.")
@click.option(
    "--input",
    "input_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Events of a file, for the sizes and as the thin days.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps the cold year for the next time.",
)
@json_option
@click.pass_context
def archive(
    context: click.Context,
    /,
    rows: int,
    large_rows: int,
    large: bool,
    rounds: int,
    only: str | None,
    input_file: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Time export and gate against raw COPY, dlt and Polars, and queries against unsorted files.

    Exit 1 off a target.

    Example: activity-pipeline bench archive --rows 200000 --only export,size --json
    """
    from activity_pipeline.bench.archive.measure import PARTS, Plan, measure_archive

    parts = split_list(only or ",".join(PARTS))
    if unknown := sorted(set(parts) - set(PARTS)):
        raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(PARTS)}", param_hint="--only")
    plan = Plan(
        rows=rows,
        large_rows=large_rows if large else rows,
        rounds=rounds,
        parts=parts,
        input=input_file,
        data=data,
    )
    _show(context, measure_archive(plan, say=_say), as_json=as_json)


@bench.command("metrics")
@click.option(
    "--rows", type=click.IntRange(1_000), default=5_000_000, show_default=True, help="Events of the year."
)
@click.option(
    "--large-rows",
    type=click.IntRange(1_000),
    default=1_000_000,
    show_default=True,
    help="Events of the large day; the target for its memory is meant for 10000000.",
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@json_option
@click.pass_context
def metrics_(context: click.Context, /, rows: int, large_rows: int, rounds: int, as_json: bool) -> None:
    """Time the metrics of one day that changed against those of a whole year.

    Exit 1 off a target.

    Example: activity-pipeline bench metrics --large-rows 10000000
    """
    from activity_pipeline.bench.metrics import Plan, measure_metrics

    _show(context, measure_metrics(Plan(rows, large_rows, rounds), say=_say), as_json=as_json)


@bench.command("anomalies")
@click.option("--seeds", type=click.IntRange(1), help="Simulations; default: 20, beside libraries 4.")
@click.option(
    "--series", type=click.IntRange(20), default=120, show_default=True, help="(source, action) in each."
)
@click.option("--nab", type=FOLDER, help="Score the Numenta Anomaly Benchmark's series in it instead.")
@click.option("--events", type=FILE, help="Judge each day of a file of events instead, and list the top 20.")
@click.option("--libraries", is_flag=True, help="Beside models of statsforecast instead, volumes alone.")
@json_option
@click.pass_context
def anomalies_(
    context: click.Context,
    /,
    seeds: int | None,
    series: int,
    nab: Path | None,
    events: Path | None,
    libraries: bool,
    as_json: bool,
) -> None:
    """Simulate traffic with incidents in it, and count what is found and what is a false alarm.

    Exit 1 off a target.

    Example: activity-pipeline bench anomalies --seeds 5
    """
    from activity_pipeline.bench.anomalies.libraries import measure_libraries
    from activity_pipeline.bench.anomalies.measure import measure_anomalies
    from activity_pipeline.bench.anomalies.online import measure_online
    from activity_pipeline.bench.anomalies.real import measure_real

    if nab is not None:
        _show(context, measure_online(nab, say=_say), as_json=as_json)
    if events is not None:
        _show(context, measure_real(events, say=_say), as_json=as_json)
    if libraries:
        _show(context, measure_libraries(seeds=seeds or 4, series=series, say=_say), as_json=as_json)
    _show(context, measure_anomalies(seeds=seeds or 20, series=series, say=_say), as_json=as_json)


@bench.command()
@click.option("--data", type=click.Path(path_type=Path), help="Where the events are kept and reused.")
@click.option("--hot-rows", type=click.IntRange(1_000), default=300_000, show_default=True)
@click.option("--open-rows", type=click.IntRange(100), default=30_000, show_default=True, help="Of today.")
@click.option("--cold-rows", type=click.IntRange(1_000), default=600_000, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1), default=1.0, show_default=True, help="A question.")
@json_option
@click.pass_context
def query(
    context: click.Context,
    /,
    data: Path | None,
    hot_rows: int,
    open_rows: int,
    cold_rows: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Time questions over hot and cold while 2,000 events a second come in, and the legacy table.

    In full: --hot-rows 10000000 --open-rows 1000000 --cold-rows 20000000. Exit 1 off a target.

    Example: activity-pipeline bench query --data bench-data --hot-rows 10000000
    """
    from activity_pipeline.bench.query.measure import Plan, measure_query

    plan = Plan(data, hot_rows, open_rows, cold_rows, seconds)
    _show(context, measure_query(plan, say=_say), as_json=as_json)


@bench.command("legacy")
@click.option("--quick", is_flag=True, help="Small sizes: three to five minutes.")
@click.option("--operations", type=click.IntRange(100), help="Of a turn.")
@click.option("--clients", type=click.IntRange(1), help="Who work at once.")
@click.option("--rounds", type=click.IntRange(1), help="Turns of each side.")
@json_option
@click.pass_context
def legacy_(
    context: click.Context,
    /,
    quick: bool,
    operations: int | None,
    clients: int | None,
    rounds: int | None,
    as_json: bool,
) -> None:
    """Measure what leaving audit triggers saves: no auditing, triggers, both, after the cutover.

    Exit 1 off a target.

    Example: activity-pipeline bench legacy --quick
    """
    from dataclasses import replace

    from activity_pipeline.bench.legacy.measure import QUICK, Plan, measure_legacy

    said = {"operations": operations, "clients": clients, "rounds": rounds}
    plan = replace(QUICK if quick else Plan(), **{name: value for name, value in said.items() if value})
    _show(context, measure_legacy(plan, say=_say), as_json=as_json)


def _say(message: str) -> None:
    if sys.stderr.isatty():
        click.echo(message, err=True)


def _show(context: click.Context, report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
    else:
        sizes = ", ".join(f"{value:,} {name}" for name, value in report.sizes.items())
        print_pairs("Machine", {**report.machine, "sizes": sizes})
        for title, rows in report.tables.items():
            print_table(title, rows)
        print_table("Figures", [figure.as_dict() for figure in report.figures])
    context.exit(1 if any(figure.met is False for figure in report.figures) else 0)


COMMANDS = [bench]
