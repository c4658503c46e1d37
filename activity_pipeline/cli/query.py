"""`activity-pipeline query`: events of every day, wherever they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from activity_pipeline.cli.output import json_option, print_rows, print_table
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.events.filters import Filters
    from activity_pipeline.query.answers import Completeness, Event


class InstantType(click.ParamType[datetime]):
    """`2026-03-01`, `2026-03-01T10:00:00Z`; in UTC where no offset is given."""

    name = "INSTANT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read an instant."""
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an instant such as 2026-03-01T10:00:00Z", param, ctx)
        return at if at.tzinfo else at.replace(tzinfo=UTC)


class SinceType(click.ParamType["datetime | timedelta"]):
    """An instant, or how long ago: `7d`, `12h`, `30m`."""

    name = "INSTANT|7d"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """Read an instant or a time span."""
        from activity_pipeline.events.filters import parse_ago

        if isinstance(value, timedelta):
            return value
        ago = parse_ago(value) if isinstance(value, str) else None
        return ago if ago is not None else InstantType().convert(value, param, ctx)


class MetadataType(click.ParamType[dict[str, Any]]):
    """A JSON object."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Read an object."""
        import msgspec

        if isinstance(value, dict):
            return value
        try:
            return msgspec.json.decode(value, type=dict[str, Any])
        except msgspec.DecodeError:
            self.fail(f"{value!r} is not a JSON object", param, ctx)


@click.command()
@click.option("--user", "users", multiple=True, type=click.UUID, help="Of this user, or any of several.")
@click.option("--source", "sources", multiple=True, help="Of this source, or any of several.")
@click.option(
    "--action",
    "actions",
    multiple=True,
    help="This action, or any of several; order.* begins so.",
)
@click.option("--status", "statuses", multiple=True, help="With this status, or any of several.")
@click.option("--entity-type", help="The kind of thing it happened to.")
@click.option("--entity-id", help="Which thing it happened to.")
@click.option("--text", help="Words that action and metadata's description have all.")
@click.option("--metadata", type=MetadataType(), help='What the metadata contains: {"ip": "10.0.0.1"}.')
@click.option("--since", type=SinceType(), help="From an instant on, or from so long ago.")
@click.option("--until", type=InstantType(), help="Before an instant.")
@click.option("--oldest", is_flag=True, help="The oldest first.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@click.option("--cursor", help="Where the page before this one ended.")
@click.option("--id", "event_id", type=click.UUID, help="The one event, and nothing else.")
@click.option("--count", "count_only", is_flag=True, help="How many there are.")
@click.option("--facets", "facets_only", is_flag=True, help="The most frequent values of their fields.")
@json_option
@click.pass_context
def query(
    context: click.Context,
    /,
    event_id: UUID | None,
    count_only: bool,
    facets_only: bool,
    cursor: str | None,
    limit: int,
    oldest: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Find events in Postgres and in the archive; exit 1 where some days could not be read.

    Example: activity-pipeline query --source shop --action "order.*" --status failed --since 7d
    """
    from activity_pipeline.local.services import services
    from activity_pipeline.query import open_query

    filters = _filters(**asked)
    with services(load_settings()) as settings, open_query(settings) as question:
        if event_id is not None:
            event = question.get_activity(event_id, filters=filters)
            _print_one(event, as_json)
            context.exit(0 if event else 1)
        if count_only:
            count = question.count(filters)
            sign = "" if count.relation == "eq" else "at least "
            _print(count, f"{sign}{count.value:,} events", as_json)
            completeness = count.completeness
        elif facets_only:
            facets = question.facets(filters)
            _print(facets, f"of the newest {facets.value:,} events", as_json)
            for name, values in facets.facets.items() if not as_json else ():
                print_table(name, [{name: each.value, "events": each.count} for each in values])
            completeness = facets.completeness
        else:
            page = question.get_activities(filters, cursor, limit, order="oldest" if oldest else "newest")
            if as_json:
                _print(page, "", as_json)
            else:
                print_rows("events", [_readable(event) for event in page.events], as_json=False)
            if page.next and not as_json:
                click.echo(f"there are more: --cursor {page.next}")
            completeness = page.completeness
    _warn(completeness)
    context.exit(1 if completeness.missing else 0)


def _filters(
    users: tuple[UUID, ...],
    sources: tuple[str, ...],
    actions: tuple[str, ...],
    statuses: tuple[str, ...],
    **others: Any,
) -> Filters:
    from activity_pipeline.events.filters import Filters

    prefixes = [action.removesuffix("*") for action in actions if action.endswith("*")]
    if prefixes and len(actions) > 1:
        raise click.UsageError("an --action that ends with * stands alone")
    return Filters(
        users=users or None,
        sources=sources or None,
        actions=None if prefixes else actions or None,
        action_prefix=prefixes[0] if prefixes else None,
        statuses=statuses or None,
        **others,
    )


def _print(answer: object, text: str, as_json: bool) -> None:
    import msgspec

    click.echo(msgspec.json.encode(answer).decode() if as_json else text)


def _print_one(event: Event | None, as_json: bool) -> None:
    import msgspec

    if event is None or as_json:
        _print(event, "there is no such event", as_json)
    else:
        click.echo(msgspec.json.format(msgspec.json.encode(event)).decode())


def _readable(event: Event) -> dict[str, Any]:
    return {
        "timestamp": event.timestamp.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00"),
        "source": event.source,
        "action": event.action,
        "status": event.status,
        "entity": "/".join(filter(None, (event.entity_type, event.entity_id))),
        "user": str(event.user_id or ""),
        "id": str(event.id),
    }


def _warn(completeness: Completeness) -> None:
    if days := completeness.missing:
        named = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}, {len(days)} days"
        click.echo(f"not complete: the archive of {named} cannot be read", err=True)
    if completeness.queue and completeness.queue.waiting_events:
        click.echo(
            f"not stored yet: {completeness.queue.waiting_events:,} events wait in the queue", err=True
        )


COMMANDS = [query]
