"""Channels, through Apprise: a webhook for a plain http(s) URL, anything that Apprise knows otherwise."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from activity_pipeline.errors import AlertError

logger = logging.getLogger(__name__)
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know.

    Attributes:
        title: One line.
        body: What happened and what to do.
        severity: How much it matters.
    """

    title: str
    body: str
    severity: Severity = "warning"


def send(alert: Alert, urls: Sequence[str]) -> int:
    """Send an alert to each channel; return how many took it.

    Args:
        alert: What to say. A webhook gets it as JSON with `title`, `message` and `type`.
        urls: Channels; none means that nobody wants to know, which is not an error.

    Raises:
        AlertError: No channel took it. One that took it is enough: the others are logged.
    """
    import apprise  # noqa: PLC0415 - a hundred channels to import, for the rare case

    delivered = 0
    for number, url in enumerate(urls, start=1):
        channel = apprise.Apprise()
        kind = {"info": "info", "warning": "warning", "critical": "failure"}[alert.severity]
        if channel.add(_webhook(url)) and channel.notify(
            body=alert.body, title=alert.title, notify_type=kind
        ):
            delivered += 1
        else:
            # The URL may hold a token, so the log names the channel by its place in the setting.
            logger.warning("channel %d of %d did not take the alert %r", number, len(urls), alert.title)
    if urls and not delivered:
        raise AlertError(f"none of {len(urls)} channels took the alert {alert.title!r}", alert=alert)
    return delivered


def _webhook(url: str) -> str:
    for scheme, apprise_scheme in (("http://", "json://"), ("https://", "jsons://")):
        if url.startswith(scheme):
            return apprise_scheme + url.removeprefix(scheme)
    return url
