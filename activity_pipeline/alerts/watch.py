"""Telling people what calls for them: once, for as long as it lasts, and again when it is over.

What was noted and not delivered is tried again at the next look: a crash between the two tells
somebody twice at the worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from activity_pipeline.alerts.channels import Alert, send
from activity_pipeline.alerts.rules import Concern
from activity_pipeline.errors import AlertError
from activity_pipeline.hot import alerts as hot
from activity_pipeline.hot.connection import Statements


@dataclass(slots=True)
class Told:
    """What became of one look.

    Attributes:
        sent: Keys that a channel took.
        failed: Keys that none took; they are tried again.
        resolved: Keys that are over.
        quiet: Keys that last, of which somebody was told lately or which may pass by themselves.
    """

    sent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)


def tell(
    statements: Statements, found: Sequence[Concern], urls: Sequence[str], *, cooldown: timedelta
) -> Told:
    """Note concerns, and send those that nobody was told of within `cooldown`.

    A channel that fails fails nothing else.

    Args:
        statements: Postgres.
        found: What calls for a person now.
        urls: The channels; without any everything is noted all the same.
        cooldown: After so long somebody is told again of what lasts.
    """
    told = Told()
    for concern in found:
        alert = concern.alert
        kept = hot.keep(
            statements,
            concern.key,
            rule=concern.rule,
            severity=alert.severity,
            title=alert.title,
            body=alert.body,
        )
        lasts = kept.last_at - kept.first_at >= concern.after
        is_news = kept.sent_at is None or kept.last_at - kept.sent_at >= cooldown
        if lasts and is_news:
            _deliver(statements, concern.key, alert, urls, told)
        else:
            told.quiet.append(concern.key)
    for over in hot.resolve_others(statements, [concern.key for concern in found]):
        told.resolved.append(over.key)
        if over.sent_at:
            since = f"It had lasted since {over.first_at:%Y-%m-%d %H:%M} UTC. {over.body}"
            _deliver(statements, over.key, Alert(f"Over: {over.title}", since, "info"), urls, told)
    return told


def _deliver(statements: Statements, key: str, alert: Alert, urls: Sequence[str], told: Told) -> None:
    try:
        taken = send(alert, urls)
    except AlertError:
        hot.note_failed(statements, key)
        told.failed.append(key)
        return
    if taken:
        hot.note_sent(statements, key)
        told.sent.append(key)
    else:
        told.quiet.append(key)
