"""What the arguments of a logger mean, and where its settings come from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from activity_pipeline.errors import SettingsError
from activity_pipeline.producer.limits import Overflow
from activity_pipeline.producer.redaction import Redaction, Redactor
from activity_pipeline.producer.spool import SpoolFolder, queue_name


def find_queue(
    url: str | None, spool_dir: Path | str | None, spool_bytes: int | None
) -> tuple[str, SpoolFolder]:
    """Return the URL of Redis and the spool for it; what is None comes from the settings.

    Raises:
        SettingsError: There is no URL, or it is malformed, or the limit is negative.
    """
    if url is None or spool_dir is None or spool_bytes is None:
        # Here because reading .env files takes longer to import than all the rest.
        from activity_pipeline.settings import load_settings  # noqa: PLC0415

        settings = load_settings()
        url = url or settings.redis_url
        spool_dir = spool_dir or settings.spool_path
        spool_bytes = settings.spool_bytes if spool_bytes is None else spool_bytes
    if not url:
        raise SettingsError("no Redis to log to: pass url or set ACTIVITY_REDIS_URL")
    if spool_bytes < 0:
        raise SettingsError("spool_bytes must not be negative")
    return url, SpoolFolder(Path(spool_dir), queue_name(url), spool_bytes)


def check_overflow(name: Overflow | str) -> Overflow:
    """Return the policy of that name; raises SettingsError where there is none."""
    try:
        return Overflow(name)
    except ValueError:
        raise SettingsError(f"overflow is one of {', '.join(Overflow)}, not {name!r}") from None


def redaction(rules: str | Redactor | Iterable[str | Redactor]) -> Redaction | None:
    """Return what applies the rules, or None where there are none."""
    several = [rules] if isinstance(rules, str) or callable(rules) else list(rules)
    return Redaction(several) if several else None
