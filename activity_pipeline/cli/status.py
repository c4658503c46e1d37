"""`status`: the pipeline on one screen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from activity_pipeline.cli.output import human_bytes, json_option, print_json
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.alerts.overview import Overview

MOST_ANOMALIES = 8
MOST_OPERATIONS = 4
SEVERITY_STYLES = {"critical": "bold red", "warning": "yellow", "info": "dim"}


@click.command()
@click.option("--watch", is_flag=True, help="Look again every few seconds, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0.5), default=2.0, show_default=True, help="Seconds between looks."
)
@json_option
@click.pass_context
def status(context: click.Context, /, watch: bool, every: float, as_json: bool) -> None:
    """Show queue, days, ledger, freshness and open anomalies; exit 1 where the ledger does not close.

    Example: activity-pipeline status --watch
    """
    from activity_pipeline.alerts.overview import look
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        seen = look(settings, statements)
        if as_json:
            print_json(_figures(seen))
        elif not watch:
            Console(markup=False, emoji=False).print(_screen(seen, None))
        else:
            with contextlib.suppress(KeyboardInterrupt), _shown(_screen(seen, None)) as show:
                while True:
                    time.sleep(every)
                    before, seen = seen, look(settings, statements)
                    show(_screen(seen, before))
    context.exit(0 if seen.is_well else 1)


@contextlib.contextmanager
def _shown(first: Group) -> Iterator[Callable[[Group], None]]:
    """Show one screen after the other: in the place of the last one where this is a terminal."""
    console = Console(markup=False, emoji=False)
    if not console.is_terminal:
        console.print(first)
        yield console.print
        return
    with Live(first, console=console, auto_refresh=False) as live:
        yield partial(live.update, refresh=True)


def _figures(seen: Overview) -> dict[str, Any]:
    return {
        "at": seen.at,
        **seen.lag.as_figures(),
        "last_drained_at": seen.progress.last_drained_at,
        "arrived_today": seen.progress.arrived_today,
        "days": dict(seen.states),
        "restored_days": seen.restored,
        "archived_bytes": seen.archived_bytes,
        "hot": seen.ledger.hot,
        "late": seen.ledger.late,
        "archived": seen.ledger.archived,
        "erased": seen.ledger.erased,
        "residual": seen.ledger.residual,
        "stale_metrics": seen.stale_metrics,
        "stale_anomalies": seen.stale_anomalies,
        "open_anomalies": len(seen.anomalies),
        "operations": [
            {
                "operation": pace.operation,
                "count": pace.lately.count,
                "p95_s": pace.p95_s,
                "limit_s": pace.limit_s,
                "slow": str(pace.slow) if pace.slow else None,
            }
            for pace in seen.paces
        ],
    }


def _screen(seen: Overview, before: Overview | None) -> Group:
    figures = seen.lag.as_figures()
    ledger = seen.ledger
    queue = (
        f"{figures['queue_waiting_events']:,} events wait, the oldest for {figures['queue_oldest_s']:.0f} s"
    )
    drained = seen.progress.last_drained_at
    rate = ""
    if before is not None:
        seconds = (seen.at - before.at).total_seconds()
        rate = f"{(ledger.received - before.ledger.received) / seconds:,.0f} events/s, "
    rows = {
        "queue": queue,
        "redis": "; ".join([human_bytes(figures["queue_used_bytes"]), *seen.lag.health.concerns]),
        "drain": f"{rate}last batch {f'{drained:%Y-%m-%d %H:%M:%S} UTC' if drained else 'never'}, "
        f"{seen.progress.arrived_today:,} events today",
        "days": ", ".join(f"{state} {count:,}" for state, count in sorted(seen.states.items())) or "none yet",
        "hot": f"{ledger.hot:,} events in {ledger.hot_days:,} days, {ledger.late:,} late",
        "cold": f"{ledger.archived:,} events in {ledger.archived_days:,} days, "
        f"{human_bytes(seen.archived_bytes)} of Parquet; {seen.restored:,} days restored",
        "metrics": _fresh(seen.stale_metrics),
        "anomalies": _fresh(seen.stale_anomalies),
    }
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="ellipsis", no_wrap=True)
    closes = ledger.residual == 0
    told = f"residual {ledger.residual:,} of {ledger.received:,} received, {ledger.erased:,} erased"
    table.add_row("ledger", Text(told, style="green" if closes else "bold red"))
    for name, text in rows.items():
        table.add_row(name, text)
    table.add_row("operations", _paces(seen))
    open_ = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for each in sorted(seen.anomalies, key=lambda each: each.date, reverse=True)[:MOST_ANOMALIES]:
        open_.add_row(
            str(each.date), Text(each.severity, style=SEVERITY_STYLES[each.severity]), each.sentence
        )
    count = len(seen.anomalies)
    heading = Text(f"\n{count:,} open anomalies of the last week" if count else "\nno open anomaly", "bold")
    return Group(Text(f"{seen.at:%Y-%m-%d %H:%M:%S} UTC", style="dim"), table, heading, open_)


def _paces(seen: Overview) -> Text:
    from activity_pipeline.operations.thresholds import human_seconds

    slow = [str(pace.slow) for pace in seen.paces if pace.slow]
    if slow:
        return Text("; ".join(slow), style="yellow")
    slowest = [f"{pace.operation} {human_seconds(pace.p95_s)}" for pace in seen.paces[:MOST_OPERATIONS]]
    return Text(f"slowest p95 of this hour and the last: {', '.join(slowest)}" if slowest else "none lately")


def _fresh(stale: Sequence[date]) -> str:
    if not stale:
        return "up to date"
    return f"{len(stale):,} days are out of date, {stale[0]} the first"


COMMANDS = [status]
