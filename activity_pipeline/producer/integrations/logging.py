"""A handler that makes events of the standard library's log records.

    logging.getLogger("shop.audit").addHandler(ActivityHandler(activity))
    logging.getLogger("shop.audit").info("refunded", extra={"entity_type": "order", "entity_id": 8412})

The action is the name of the logger.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

from activity_pipeline.events.model import MAX_CHARACTERS
from activity_pipeline.producer.context import FIELDS
from activity_pipeline.producer.delivery import THREAD_NAME
from activity_pipeline.producer.integrations.request import user_fields
from activity_pipeline.producer.logger import ActivityLogger

_OWN = "activity_pipeline"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MAX_TEXT_CHARACTERS = 8192


class ActivityHandler(logging.Handler):
    """Logs each record as an event: its logger's name as the action, the rest as metadata.

    `extra` fills the event's fields `user_id`, `entity_type`, `entity_id` and `status`; every
    other name of it becomes a key of the metadata. Without a status, records from ERROR on are a
    `failure`. Records of the producer itself are left out, those made while it delivers as well:
    each would cause the next one.
    """

    def __init__(
        self, activity: ActivityLogger, *, action: str | None = None, level: int = logging.NOTSET
    ) -> None:
        """Take where events go; `action` is for all of them instead of the logger's name."""
        super().__init__(level)
        self.activity = activity
        self.action = action

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; what goes wrong is `handleError`'s."""
        try:
            if _is_ours(record):
                return
            extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
            fields = {name: str(value) for name in FIELDS if (value := extra.pop(name, None)) is not None}
            user = user_fields(fields.get("user_id"))
            self.activity.log(
                (self.action or record.name)[: MAX_CHARACTERS["action"]],
                entity_type=fields.get("entity_type"),
                entity_id=fields.get("entity_id"),
                user_id=user.pop("user_id", None),
                status=fields.get("status", "failure" if record.levelno >= logging.ERROR else None),
                timestamp=datetime.fromtimestamp(record.created, UTC),
                metadata={**user, **_plain(extra), **self._metadata(record)},
            )
        except Exception:
            self.handleError(record)

    def _metadata(self, record: logging.LogRecord) -> dict[str, Any]:
        metadata = {"level": record.levelname, "logger": record.name, "message": _text(record.getMessage())}
        if record.exc_info and record.exc_info[0]:
            formatter = self.formatter or logging.Formatter()
            metadata["exception"] = _text(formatter.formatException(record.exc_info))
        return metadata


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether the producer itself has caused the record."""
    return record.name.partition(".")[0] == _OWN or record.threadName == THREAD_NAME


def _text(text: str) -> str:
    """Cut a text where it would not fit, and write a NUL, which no event may hold, as it is escaped."""
    return text[:_MAX_TEXT_CHARACTERS].replace("\0", "\\x00")


def _plain(extra: dict[str, Any]) -> dict[str, Any]:
    """Write as text what JSON cannot hold: a record is worth more than the form of its extras."""
    plain: dict[str, Any] = msgspec.to_builtins(extra, str_keys=True, enc_hook=str)
    return plain
