"""Redaction: what must not leave the process is taken out of an event before it is buffered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from activity_pipeline.errors import EventError, SettingsError
from activity_pipeline.events.model import FIELDS
from activity_pipeline.producer.stats import DropReason

Redactor = Callable[[dict[str, Any]], dict[str, Any]]
"""From an event, as JSON has it, to the event that may leave the process."""

REDACTED = "[redacted]"

_FIELDS = frozenset(FIELDS)
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class Redaction:
    """Applies redactors to encoded events, and then blanks values by the name of their key."""

    def __init__(self, rules: Sequence[str | Redactor]) -> None:
        """Take rules: names of keys, compared without case, and functions.

        Raises:
            SettingsError: A rule is neither.
        """
        self._names = {rule.casefold() for rule in rules if isinstance(rule, str)}
        self._redactors = [rule for rule in rules if not isinstance(rule, str)]
        if not all(map(callable, self._redactors)):
            raise SettingsError("redact takes names of fields and functions")

    def __call__(self, line: bytes) -> bytes:
        """Return the event without what must not leave the process.

        A name is blanked wherever it is a key, in the metadata at any depth; the event's own fields
        are for functions to change.

        Raises:
            EventError: With `redaction_failed`: the line is not a JSON object, or a function failed.
        """
        try:
            event = _decode(line)
            for redactor in self._redactors:
                event = msgspec.to_builtins(redactor(event), str_keys=True)
            if not isinstance(event, dict):
                raise TypeError("a redactor returned no event")
            return _encode(
                {
                    name: REDACTED if name not in _FIELDS and self._is_secret(name) else self._blanked(value)
                    for name, value in event.items()
                }
            )
        except Exception:
            # Whatever went wrong may quote the event: it is not chained.
            raise EventError(
                "the event could not be redacted", reason=DropReason.REDACTION_FAILED.value
            ) from None

    def _is_secret(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._names

    def _blanked(self, value: Any) -> Any:
        if not self._names:
            return value
        if isinstance(value, dict):
            return {
                name: REDACTED if self._is_secret(name) else self._blanked(inner)
                for name, inner in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._blanked(inner) for inner in value]
        return value
