"""Getting events in: `log`, `import`, `drain`."""

from __future__ import annotations

import json
import logging
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activity_pipeline.cli.output import json_option, print_json, print_pairs, progress_bar
from activity_pipeline.errors import ActivityError
from activity_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from activity_pipeline.hot.writer import KnownInArchive
    from activity_pipeline.ingest import DrainReport

FLUSH_TIMEOUT_S = 120.0


@click.command()
@click.argument("action")
@click.option("--source", default="shell", show_default=True, help="The system that it happened in.")
@click.option("--entity-type", help="Kind of thing it happened to.")
@click.option("--entity-id", help="Which thing it happened to.")
@click.option("--user", "user_id", type=click.UUID, help="Who did it.")
@click.option("--status", default="success", show_default=True, help="How it ended.")
@click.option("--metadata", help="Anything else, as a JSON object.")
@json_option
def log(action: str, metadata: str | None, as_json: bool, source: str, user_id: Any, **fields: Any) -> None:
    """Log one event; returns once Redis has it.

    Example: activity-pipeline log order_placed --source shop --entity-type order --entity-id 8412
    """
    from activity_pipeline.local.services import services
    from activity_pipeline.producer import ActivityLogger

    with (
        services(load_settings()) as settings,
        ActivityLogger(
            settings.redis_url,
            source=source,
            shards=settings.queue_shards,
            spool_dir=settings.spool_path,
            strict=True,
        ) as logger,
    ):
        event_id = logger.log(
            action, user_id=str(user_id) if user_id else None, metadata=_object(metadata), **fields
        )
        accepted = logger.flush(10.0)
    if not accepted:
        raise ActivityError(f"Redis did not take the event in time; it is kept in {settings.spool_path}")
    if as_json:
        print_json({"id": event_id})
    else:
        click.echo(event_id)


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="--metadata") from None
    if not isinstance(value, dict):
        raise click.BadParameter("not a JSON object", param_hint="--metadata")
    return value


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["auto", "ndjson", "cloudtrail", "gharchive"]),
    default="auto",
    show_default=True,
    help="What the files are.",
)
@click.option("--rebase", is_flag=True, help="Move each file's events by whole weeks into the present.")
@json_option
def import_(files: tuple[Path, ...], file_format: str, rebase: bool, as_json: bool) -> None:
    """Send the events of files through the queue; - is the standard input.

    Takes NDJSON in our shape, AWS CloudTrail and GH Archive files, plain or gzip. Then drain them:
    events of days that have left the hot window end in the archive.

    Example: activity-pipeline import events.ndjson.gz 2026-03-01-*.json.gz
    """
    from activity_pipeline.local.services import services
    from activity_pipeline.producer import ActivityLogger
    from activity_pipeline.producer.importing import import_file, rebase_weeks

    reports: list[dict[str, Any]] = []
    with (
        services(load_settings()) as settings,
        ActivityLogger(
            settings.redis_url,
            source="import",
            shards=settings.queue_shards,
            spool_dir=settings.spool_path,
        ) as logger,
    ):
        try:
            for file in files:
                weeks = rebase_weeks(file, format=file_format) if rebase else None
                size = file.stat().st_size if file.is_file() else None
                with progress_bar(file.name, size) as update:
                    report = import_file(
                        file,
                        logger,
                        format=file_format,
                        rebase=weeks,
                        progress=lambda so_far: update(so_far.bytes_read, f"{so_far.lines:,} events"),
                    )
                reports.append({"file": str(file), "rebased_weeks": weeks, **asdict(report)})
        finally:
            # Also after an error: what came before it was accepted.
            flushed = logger.flush(FLUSH_TIMEOUT_S)
    if not flushed:
        raise ActivityError(
            f"Redis did not take all events in time; the rest is kept in {settings.spool_path}"
        )
    if as_json:
        print_json({"files": reports, "lines": sum(sent["lines"] for sent in reports)})
        return
    for sent in reports:
        malformed = f", {sent['malformed']:,} malformed" if sent["malformed"] else ""
        click.echo(f"{sent['file']}: {sent['lines']:,} events sent ({sent['format']}){malformed}")
    click.echo("next: activity-pipeline drain")


@click.command()
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C or SIGTERM, and report to Dagster.")
@json_option
def drain(follow: bool, as_json: bool) -> None:
    """Take what waits in queue and outboxes into Postgres, then stop, or --follow what comes.

    A follower stores an event a moment after it was sent and outlives restarts of Redis and Postgres.
    While it is at work Dagster starts no drains; what it stores is reported to the web server at
    ACTIVITY_DAGSTER_URL.

    Example: activity-pipeline drain --follow
    """
    import msgspec

    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.files.known import KnownEvents
    from activity_pipeline.ingest import DrainConfig
    from activity_pipeline.ingest import drain as drain_queue
    from activity_pipeline.ingest.reporting import drained_figures
    from activity_pipeline.local.services import services
    from activity_pipeline.queue.connection import connect
    from activity_pipeline.queue.guard import inspect

    stop = _stopped_by_signals() if follow else None
    with services(load_settings()) as settings:
        known = KnownEvents(ArchiveStore(settings.archive_root))
        if stop is not None:
            report = _follow(settings, known, stop)
        else:
            with connect(settings.redis_url) as queue:
                for concern in inspect(queue).concerns:
                    click.echo(f"warning: {concern}", err=True)
            own = msgspec.structs.replace(settings, drain_budget_s=float("inf"), drain_idle_s=0.0)
            report = drain_queue(DrainConfig.of(own), known)
    figures = drained_figures(report)
    if as_json:
        print_json(figures)
    else:
        print_pairs("drained", figures)
    if report.outboxes_away:
        raise ActivityError("; ".join(report.outboxes_away))


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _follow(settings: Settings, known: KnownInArchive, stop: threading.Event) -> DrainReport:
    from activity_pipeline.ingest import DrainConfig
    from activity_pipeline.ingest.follow import follow
    from activity_pipeline.ingest.lag import lag_figures
    from activity_pipeline.ingest.reporting import DagsterReporter, dagster_url

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    reporter = DagsterReporter(
        dagster_url(settings),
        more_figures=lambda: lag_figures(
            settings.redis_url, settings.postgres_dsn, shards=settings.queue_shards
        ),
    )
    click.echo(f"following the queue, reports go to {reporter.url}; Ctrl-C ends it", err=True)
    return follow(
        DrainConfig.of(settings), known, reporter, stop, report_interval_s=settings.report_interval_s
    )


COMMANDS = [log, import_, drain]
