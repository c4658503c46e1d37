"""Channels, through Apprise: a webhook for a plain http(s) URL, anything that Apprise knows otherwise.

Each is told in a thread of its own, so that one that hangs holds up no other. Its address may hold
secrets; wherever it is spoken of it is called by its place in the setting and its kind.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from activity_pipeline.errors import AlertError

logger = logging.getLogger(__name__)
Severity = Literal["info", "warning", "critical"]
LONGEST_REASON = 300
SHORTEST_SECRET = 4
"""A shorter part of an address may be part of any word."""


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


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go.

    Attributes:
        name: Its place in the setting and its kind: `2 Slack`.
        url: Its address.
    """

    name: str
    url: str

    def __repr__(self) -> str:
        """Return the name: the address may hold secrets."""
        return f"Channel({self.name!r})"


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of an alert at one channel.

    Attributes:
        channel: Its name.
        taken: Whether it took the alert.
        said: Why it did not, without its secrets.
    """

    channel: str
    taken: bool
    said: str = ""


def channels_of(urls: Sequence[str]) -> list[Channel]:
    """Name channels; one whose address nobody understands is `unknown`, and takes nothing."""
    return [Channel(f"{place} {_kind(url)}", url) for place, url in enumerate(urls, start=1)]


def deliver(messages: Sequence[tuple[Channel, Alert]]) -> list[Reply]:
    """Send messages, those to one channel in order and channels side by side; never raises.

    Args:
        messages: Whom to tell what. A webhook gets it as JSON with `title`, `message` and `type`.

    Returns:
        A reply to each, in the same order.
    """
    by_channel: dict[Channel, list[int]] = {}
    for number, (channel, _) in enumerate(messages):
        by_channel.setdefault(channel, []).append(number)
    replies: dict[int, Reply] = {}

    def tell(channel: Channel, numbers: Sequence[int]) -> None:
        for number in numbers:
            replies[number] = _send(channel, messages[number][1])

    if messages:
        with ThreadPoolExecutor(len(by_channel), thread_name_prefix="channel") as pool:
            list(pool.map(tell, by_channel, by_channel.values()))
    return [replies[number] for number in range(len(messages))]


def send(alert: Alert, urls: Sequence[str]) -> int:
    """Send an alert to each channel; return how many took it.

    Args:
        alert: What to say.
        urls: Channels; none means that nobody wants to know, which is not an error.

    Raises:
        AlertError: No channel took it. One that took it is enough: the others are logged.
    """
    replies = deliver([(channel, alert) for channel in channels_of(urls)])
    for reply in replies:
        if not reply.taken:
            logger.warning("channel %s did not take the alert %r: %s", reply.channel, alert.title, reply.said)
    delivered = sum(reply.taken for reply in replies)
    if urls and not delivered:
        raise AlertError(f"none of {len(urls)} channels took the alert {alert.title!r}", alert=alert)
    return delivered


class _Heard(logging.Handler):
    """Keeps what Apprise logs of one call: there alone it says why a channel took nothing."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Apprise goes on in a thread of its own, and takes the context along.
        if _CALL.get() is self:
            self.lines.append(record.getMessage())


_CALL: ContextVar[_Heard | None] = ContextVar("_CALL", default=None)


def _send(channel: Channel, alert: Alert) -> Reply:
    apprise = _apprise()
    heard, log = _Heard(), logging.getLogger("apprise")
    kind = {"info": "info", "warning": "warning", "critical": "failure"}[alert.severity]
    log.addHandler(heard)
    call = _CALL.set(heard)
    try:
        told = apprise.Apprise()
        if not told.add(_webhook(channel.url)):
            return Reply(channel.name, taken=False, said="its address is none that Apprise knows")
        taken = bool(told.notify(body=alert.body, title=alert.title, notify_type=kind))
    except Exception as error:  # a plugin's own: the other channels, and the pipeline, go on
        heard.lines.append(type(error).__name__)
        taken = False
    finally:
        _CALL.reset(call)
        log.removeHandler(heard)
    said = "" if taken else _without_secrets("; ".join(heard.lines) or "no reason given", channel.url)
    return Reply(channel.name, taken, said[:LONGEST_REASON])


def _without_secrets(text: str, url: str) -> str:
    """Blank out whatever the address says of credentials, hosts and paths."""
    _, _, rest = url.partition("://")
    parts = re.split(r"[/:@?&=#,;]+", rest)
    for part in sorted({part for part in parts if len(part) >= SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(part, "…")
    return text


def _kind(url: str) -> str:
    if url.startswith(("http://", "https://")):
        return "webhook"
    try:
        plugin = _apprise().Apprise.instantiate(url, suppress_exceptions=True)
    except Exception:  # whatever a plugin makes of a wrong address
        plugin = None
    return str(plugin.service_name) if plugin is not None else "unknown"


def _apprise() -> Any:
    with warnings.catch_warnings():
        # It looks for a module that newer Pythons lack, and brings its own.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415 - a hundred channels to import, for the rare case
    # Its lines may name addresses. What they say is told by the reply.
    log = logging.getLogger("apprise")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    return apprise


def _webhook(url: str) -> str:
    for scheme, apprise_scheme in (("http://", "json://"), ("https://", "jsons://")):
        if url.startswith(scheme):
            return apprise_scheme + url.removeprefix(scheme)
    return url
