"""A simulated shop: events of realistic shape and rhythm, with incidents planted in them.

For the demo, benchmarks and tests. The same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from activity_pipeline.errors import SettingsError
from activity_pipeline.local.shop_catalogue import ACTIONS, METADATA_VARIANTS, metadata_variants
from activity_pipeline.local.shop_incidents import (
    DROP_FACTOR,
    FAILURE_SHARE,
    SPIKE_FACTOR,
    Incident,
    first_day,
    planted_incidents,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BATCH_EVENTS: Final = 10_000
USERS: Final = 3_000
ZIPF_EXPONENT: Final = 1.1
MONTHLY_GROWTH: Final = 0.04
DAY_NOISE: Final = 0.04
"""Coefficient of variation of an action's daily volume beyond chance."""

_ENTITIES: Final = 20_000
_HOURS: Final = 24
_HOUR_US: Final = 3_600_000_000

_LINE: Final = (
    '{"id":"%s","timestamp":"%sZ","source":"%s","action":"%s","entity_type":"%s","entity_id":"%s-%d",'
    '"user_id":%s,"status":"%s","metadata":%s,"request_id":"%08x"}}'
)


def simulate(*, days: int, events: int, seed: int, until: datetime) -> Iterator[list[bytes]]:
    """Yield the shop's events as NDJSON lines, in batches, in time order.

    Args:
        days: Number of UTC days, the last one being the day of `until` up to that moment.
        events: Number of events in all.
        seed: Seed of everything random, 0 or more.
        until: End of the simulation, with an offset.

    Yields:
        Lines without line feeds, at most `BATCH_EVENTS` at a time.

    Raises:
        SettingsError: `until` has no offset, or a number is too small.
    """
    if until.tzinfo is None:
        raise SettingsError("the end of the simulation needs an offset", until=until)
    if days < 1 or events < 0 or seed < 0:
        raise SettingsError("days must be at least 1, events and seed at least 0", days=days)
    return _days(days, events, seed, until.astimezone(UTC))


def _days(days: int, events: int, seed: int, until: datetime) -> Iterator[list[bytes]]:
    rng = np.random.default_rng((seed, 1))
    incidents = planted_incidents(days=days, seed=seed, until=until)
    first = first_day(days, until)
    volume = _volumes(days, until, incidents, rng)
    if not volume.any():
        return
    counts = rng.multinomial(events, (volume / volume.sum()).ravel()).reshape(volume.shape)
    writer = _LineWriter(rng)
    for offset in range(days):
        day = first + timedelta(days=offset)
        lines = writer.day(
            day,
            counts[offset],
            failure_rates=_failure_rates(day, incidents),
            part_of_day=_part_of_day(until) if offset == days - 1 else np.ones(len(ACTIONS)),
            rng=np.random.default_rng((seed, 2, offset)),
        )
        for start in range(0, len(lines), BATCH_EVENTS):
            yield lines[start : start + BATCH_EVENTS]


def _volumes(days: int, until: datetime, incidents: tuple[Incident, ...], rng: np.random.Generator) -> Floats:
    """Relative volume, shape (days, actions): rhythm, growth, noise, incidents, the partial last day."""
    first = first_day(days, until)
    weekday = (first.weekday() + np.arange(days)) % 7
    week = np.array([action.source.week for action in ACTIONS]).T[weekday]
    growth = (1 + MONTHLY_GROWTH) ** (np.arange(days) / 30)
    noise = rng.gamma(DAY_NOISE**-2, DAY_NOISE**2, week.shape)
    volume: Floats = week * growth[:, None] * noise * [action.volume for action in ACTIONS]
    for incident in incidents:
        row = (incident.date - first).days
        hit = [a.source.name == incident.source and incident.action in (a.name, "") for a in ACTIONS]
        match incident.kind:
            case "spike":
                volume[row, hit] *= SPIKE_FACTOR
            case "drop":
                volume[row, hit] *= DROP_FACTOR
            case "silent_source":
                volume[row, hit] = 0.0
            case "failure_rate":
                pass  # fails more often, not more
    volume[-1] *= _part_of_day(until)
    return volume


def _failure_rates(day: date, incidents: tuple[Incident, ...]) -> Floats:
    """Share of each action's events that fail on a day."""
    failing = {(i.source, i.action) for i in incidents if i.kind == "failure_rate" and i.date == day}
    return np.array(
        [FAILURE_SHARE if (a.source.name, a.name) in failing else a.failure_rate for a in ACTIONS]
    )


def _hour_curve(action: int) -> Floats:
    """Share of an action's day that lies before each full hour, shape (25,)."""
    hours = np.array(ACTIONS[action].source.hours)
    return np.concatenate(([0.0], np.cumsum(hours) / hours.sum()))


def _part_of_day(until: datetime) -> Floats:
    """Share of each action's day that lies before the time of day of `until`."""
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = (until - midnight) / timedelta(hours=1)
    return np.array(
        [np.interp(hour, np.arange(_HOURS + 1), _hour_curve(action)) for action in range(len(ACTIONS))]
    )


class _LineWriter:
    """Draws a day's events column by column and writes them as JSON lines."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._metadata = [metadata_variants(action, rng) for action in ACTIONS]
        self._users = ["null", *(f'"{UUID(bytes=rng.bytes(16), version=4)}"' for _ in range(USERS))]
        weight = np.arange(1, USERS + 1) ** -ZIPF_EXPONENT
        self._user_curve = np.cumsum(weight) / weight.sum()
        self._curves = np.array([_hour_curve(action) for action in range(len(ACTIONS))])

    def day(
        self, day: date, counts: Ints, *, failure_rates: Floats, part_of_day: Floats, rng: np.random.Generator
    ) -> list[bytes]:
        """Write one day, in time order.

        Args:
            day: The UTC day.
            counts: Events of each action.
            failure_rates: Share of each action's events that fail.
            part_of_day: Share of each action's day that the events lie in.
            rng: Source of everything random about this day.
        """
        action = np.repeat(np.arange(len(ACTIONS)), counts)
        size = len(action)
        hour = np.concatenate(
            [
                np.interp(rng.random(count) * part, curve, np.arange(_HOURS + 1))
                for count, part, curve in zip(counts, part_of_day, self._curves, strict=True)
            ]
        )
        order = np.argsort(hour, kind="stable")
        action = action[order]
        time_us = np.datetime64(day, "us").astype(np.int64) + (hour[order] * _HOUR_US).astype(np.int64)
        failed = rng.random(size) < failure_rates[action]
        anonymous = rng.random(size) < np.array([a.source.anonymous for a in ACTIONS])[action]
        user = np.where(anonymous, 0, 1 + np.searchsorted(self._user_curve, rng.random(size)))
        columns = zip(
            _uuid7(time_us, rng),
            np.datetime_as_string(time_us.astype("datetime64[us]")).tolist(),
            action.tolist(),
            rng.integers(1, _ENTITIES, size).tolist(),
            user.tolist(),
            failed.tolist(),
            rng.integers(METADATA_VARIANTS, size=size).tolist(),
            rng.integers(2**32, size=size).tolist(),
            strict=True,
        )
        fixed = [(a.source.name, a.name, a.entity_type, a.entity_type) for a in ACTIONS]
        status = [(a.success, a.failure) for a in ACTIONS]
        return [
            (
                _LINE
                % (
                    event_id,
                    timestamp,
                    *fixed[which],
                    entity,
                    self._users[by],
                    status[which][has_failed],
                    self._metadata[which][variant],
                    request,
                )
            ).encode()
            for event_id, timestamp, which, entity, by, has_failed, variant, request in columns
        ]


def _uuid7(time_us: Ints, rng: np.random.Generator) -> list[str]:
    """UUIDs of version 7 (RFC 9562): milliseconds since 1970, then random bits."""
    size = len(time_us)
    raw = rng.integers(256, size=(size, 16), dtype=np.uint8)
    raw[:, :6] = (time_us // 1000).astype(">u8").view(np.uint8).reshape(size, 8)[:, 2:]
    raw[:, 6] = raw[:, 6] & 0x0F | 0x70
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = raw.tobytes().hex()
    return [
        f"{digits[i : i + 8]}-{digits[i + 8 : i + 12]}-{digits[i + 12 : i + 16]}"
        f"-{digits[i + 16 : i + 20]}-{digits[i + 20 : i + 32]}"
        for i in range(0, 32 * size, 32)
    ]
