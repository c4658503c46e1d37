"""Telling people what calls for them: once, for as long as it lasts, and again when it is over.

    noted            activity_alerts: it is so, since when
    set out          activity_alert_deliveries: a message to each channel, in one transaction with told_at
    claimed, sent    each channel by itself; what it did not take is due again after a pause

A crash between two of these loses nothing: what has set out is found by the next look, and what was
sent but not noted is sent once more after LEASE, which tells somebody twice at the worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from activity_pipeline.alerts.channels import Alert, Channel, channels_of, deliver
from activity_pipeline.alerts.rules import SEVERITIES, Concern
from activity_pipeline.hot import alerts as hot
from activity_pipeline.hot.connection import Statements

MOST_AT_ONCE = 20
"""Messages that one look sends to a channel; the next one goes on."""

LEASE = timedelta(minutes=6)
"""How long a message that is being sent is left alone by others: a mail server that hangs costs 15 s."""

FIRST_PAUSE = timedelta(seconds=45)
"""Shorter than the minute between two looks, so that the next one tries again."""

LONGEST_PAUSE = timedelta(hours=1)
MOST_TRIES = 24
"""After that, about 19 hours, a message is given up."""


@dataclass(slots=True)
class Told:
    """What became of one look.

    Attributes:
        sent: Keys that a channel took.
        failed: Keys that a channel did not take; it is tried again.
        resolved: Keys that are over.
        quiet: Keys that last, of which somebody was told lately or which may pass by themselves.
    """

    sent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)


def tell(
    statements: Statements,
    found: Sequence[Concern],
    urls: Sequence[str],
    *,
    cooldown: timedelta,
    is_all: bool = True,
) -> Told:
    """Note concerns, and send those that nobody was told of within `cooldown`.

    A channel that fails fails nothing else.

    Args:
        statements: Postgres.
        found: What calls for a person now.
        urls: The channels; without any everything is noted all the same.
        cooldown: After so long somebody is told again of what lasts.
        is_all: Whether nothing else calls for anybody, so that what else was noted is over.
    """
    told, channels = Told(), channels_of(urls)
    for concern in found:
        if not _set_out(statements, concern, channels, cooldown):
            told.quiet.append(concern.key)
    if is_all:
        for over in hot.resolve_others(statements, [concern.key for concern in found]):
            told.resolved.append(over.key)
            since = f"It had lasted since {over.first_at:%Y-%m-%d %H:%M} UTC. {over.body}"
            knowing = hot.give_up(statements, over.key, since=over.first_at)
            names = [channel.name for channel in channels if channel.name in knowing]
            hot.set_out(statements, over.key, names, severity="info", title=f"Over: {over.title}", body=since)
    send_due(statements, channels, told)
    hot.forget(statements)
    return told


def _set_out(
    statements: Statements, concern: Concern, channels: Sequence[Channel], cooldown: timedelta
) -> bool:
    """Note a concern; return whether messages of it have set out now."""
    alert = concern.alert
    named = {"severity": alert.severity, "title": alert.title, "body": alert.body}
    with statements.transaction():
        kept = hot.keep(statements, concern.key, rule=concern.rule, **named)
        lasts = kept.last_at - kept.first_at >= concern.after
        is_news = kept.told_at is None or kept.last_at - kept.told_at >= cooldown
        if not (lasts and is_news and channels):
            return False
        # A channel that has not taken the last message needs no two of them.
        hot.give_up(statements, concern.key, since=kept.first_at)
        hot.set_out(statements, concern.key, [channel.name for channel in channels], **named)
    return True


def send_due(statements: Statements, channels: Sequence[Channel], told: Told) -> None:
    """Send what is due, each channel by itself, and note what became of it."""
    by_name = {channel.name: channel for channel in channels}
    claimed = hot.claim_due(statements, list(by_name), lease=LEASE, most=MOST_AT_ONCE)
    messages = [
        (by_name[each.channel], Alert(each.title, each.body, SEVERITIES[SEVERITIES.index(each.severity)]))
        for each in claimed
    ]
    for each, reply in zip(claimed, deliver(messages), strict=True):
        pause = min(FIRST_PAUSE * 2 ** (each.tries - 1), LONGEST_PAUSE)
        hot.note_reply(
            statements,
            each.id,
            taken=reply.taken,
            said=reply.said,
            pause=None if each.tries >= MOST_TRIES else pause,
        )
        keys = told.sent if reply.taken else told.failed
        if each.key not in keys:
            keys.append(each.key)
