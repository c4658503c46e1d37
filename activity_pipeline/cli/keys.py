"""`keys …`: who may use the HTTP API."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from activity_pipeline.cli.options import TtlType
from activity_pipeline.cli.output import json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.hot.api_keys import ApiKey

SCOPES = ("read", "write", "admin")


@click.group()
def keys() -> None:
    """Keys of the HTTP API."""


@keys.command()
@click.option("--name", required=True, help="Whose it is, or what for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=("read",),
    show_default=True,
    help="What it may; repeat for several. admin is all of it.",
)
@click.option(
    "--source", "sources", multiple=True, help="Only events of this source; several times for several."
)
@click.option("--user", "user_id", type=click.UUID, help="Only events of this user.")
@click.option(
    "--expires",
    type=TtlType("that key would open nothing"),
    help="How long it is valid: 12h, 90d, 52w.",
)
@click.option(
    "--rate",
    "requests_per_s",
    type=click.FloatRange(0, 1_000_000, min_open=True),
    default=100.0,
    show_default=True,
    help="Requests a second, to each process of the API.",
)
@click.option(
    "--burst", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="Requests at once."
)
@json_option
def create(
    name: str,
    user_id: UUID | None,
    sources: tuple[str, ...],
    expires: timedelta | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Make a key and show it, once: only a hash of it is kept.

    Example: activity-pipeline keys create --name shop --scope write --source shop --expires 90d
    """
    from activity_pipeline.api.keys import make_key
    from activity_pipeline.hot.api_keys import NewKey, add_key
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    if not 1 <= len(name) <= 128:
        raise click.UsageError("a name has 1 to 128 characters")
    secret = make_key()
    new = NewKey(
        prefix=secret.prefix,
        name=name,
        secret_sha256=secret.sha256,
        sources=sources or None,
        user_id=user_id,
        created_by=getpass.getuser(),
        expires_at=datetime.now(UTC) + expires if expires else None,
        **fields,
    )
    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        key = add_key(statements, new)
    if as_json:
        print_json({"key": secret.text, **_shown(key)})
    else:
        print_pairs("The key; it is not shown again", {"": secret.text})
        print_pairs("", {name: value for name, value in _shown(key).items() if value is not None})


@keys.command("list")
@click.option("--all", "ended", is_flag=True, help="Also those that were revoked or have expired.")
@json_option
def list_(ended: bool, as_json: bool) -> None:
    """List keys, with what they may and when they were last used.

    Example: activity-pipeline keys list --all
    """
    from activity_pipeline.hot.api_keys import list_keys
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        rows = [_shown(key) for key in list_keys(statements, ended=ended)]
    if as_json:
        print_json(rows)
    else:
        print_table(f"{len(rows):,} keys", rows, empty="none")


@keys.command()
@click.argument("prefix")
@json_option
def revoke(prefix: str, as_json: bool) -> None:
    """Take a key back, by its prefix (the part between the underscores); in force within seconds.

    Example: activity-pipeline keys revoke 4f1c09ab77d2
    """
    from activity_pipeline.errors import StoreError
    from activity_pipeline.hot.api_keys import revoke_key
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        key = revoke_key(statements, prefix)
    if key is None:
        raise StoreError(f"there is no key with the prefix {prefix}", prefix=prefix)
    if as_json:
        print_json(_shown(key))
    else:
        click.echo(f"{key.prefix} ({key.name}) is revoked")


def _shown(key: ApiKey) -> dict[str, Any]:
    """Return what may be shown: all but the hash."""
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": ", ".join(key.scopes),
        "sources": ", ".join(key.sources) if key.sources else None,
        "user_id": key.user_id,
        "rate": f"{key.requests_per_s:g}/s, {key.burst} at once",
        "created_by": key.created_by,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


COMMANDS = [keys]
