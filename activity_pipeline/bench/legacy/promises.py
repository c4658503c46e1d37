"""The plan's table: what it promised, what was measured, what we want."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from activity_pipeline.bench.figures import Figure
from activity_pipeline.bench.legacy.turn import Turn

Turns = Mapping[str, Sequence[Turn]]
SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Promise(Figure):
    """A figure beside what the plan had promised.

    Attributes:
        promised: By the plan, as text.
    """

    promised: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return a row for a table or a machine."""
        row = Figure.as_dict(self)
        return {"name": row.pop("name"), "promised": self.promised, **row}


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values; 0 of none."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def of_all(turns: Turns) -> list[Figure]:
    """Return the lines that need nothing but the turns."""
    return [*_latency(turns), *_database(turns), *_logging(turns), *_losses(turns)]


def _by_round(turns: Turns, side: str, of: Callable[[Turn], float]) -> float:
    """Return the median of what a side adds to no auditing at all, round by round."""
    pairs = zip(turns[side], turns["no auditing"], strict=True)
    return statistics.median(of(mine) - of(base) for mine, base in pairs)


def _less(turns: Turns, side: str, of: Callable[[Turn], float], *, added: bool) -> float:
    """Return by how many percent a side takes less than triggers: the median of the rounds."""
    found = []
    rounds = zip(turns[side], turns["triggers"], turns["no auditing"], strict=True)
    for mine, triggers, base in rounds:
        without = of(base) if added else 0.0
        if of(triggers) > without:  # Else the machine was too noisy, or the turn too short, to tell.
            found.append(100 * (1 - (of(mine) - without) / (of(triggers) - without)))
    return statistics.median(found) if found else 0.0


def _latency(turns: Turns) -> list[Figure]:
    figures: list[Figure] = []
    for name, share in SHARES.items():

        def of(turn: Turn, share: float = share) -> float:
            return quantile(turn.seconds, share) * 1000

        base = statistics.median(of(turn) for turn in turns["no auditing"])
        figures.append(Figure(f"a write without auditing, {name}", base, "ms"))
        figures += [
            Figure(f"added to it by {side}, {name}", _by_round(turns, side, of), "ms")
            for side in turns
            if side != "no auditing"
        ]
        figures += [
            Promise(
                f"write latency added, {name}: less by {side}",
                _less(turns, side, of, added=True),
                "%",
                97.0 if side == "queue" else None,
                promised="90 %",
            )
            for side in ("outbox", "queue")
        ]
    return figures


def _database(turns: Turns) -> list[Figure]:
    taken: dict[str, tuple[str, float, Callable[[Turn], float]]] = {
        "processor of Postgres": ("s", 1.0, lambda turn: turn.usage.postgres_s),
        "WAL": ("MB", 1e6, lambda turn: turn.usage.wal_bytes),
        "pages written": ("MB", 1e6, lambda turn: turn.usage.block_bytes),
        "processor of everything": ("s", 1.0, lambda turn: turn.usage.postgres_s + turn.usage.ours_s),
    }
    figures: list[Figure] = []
    for name, (unit, divisor, of) in taken.items():
        figures += [
            Figure(f"{name}, {side}", statistics.median(of(turn) for turn in its) / divisor, unit)
            for side, its in turns.items()
        ]
        for side in ("outbox", "queue"):
            is_promised = name != "processor of everything"
            figures.append(
                Promise(
                    f"{name}: less by {side}",
                    _less(turns, side, of, added=False),
                    "%",
                    75.0 if is_promised and side == "queue" else None,
                    promised="60 %" if is_promised else "",
                )
            )
            figures.append(
                Figure(f"{name} that auditing adds: less by {side}", _less(turns, side, of, added=True), "%")
            )
    return figures


def _logging(turns: Turns) -> list[Figure]:
    queue = sorted(second for turn in turns["queue"] for second in turn.telling_s)
    outbox = sorted(second for turn in turns["outbox"] for second in turn.telling_s)
    return [
        Promise(
            "logging latency p99, an event by queue",
            quantile(queue, 0.99) * 1000,
            "ms",
            0.1,
            "at most",
            promised="50 ms",
        ),
        Promise(
            "logging latency p99, a transaction by outbox",
            quantile(outbox, 0.99) * 1000,
            "ms",
            promised="50 ms",
        ),
    ]


def _losses(turns: Turns) -> list[Figure]:
    told = sum(turn.told for its in turns.values() for turn in its)
    stored = sum(turn.stored for its in turns.values() for turn in its)
    parity = [turn.parity for turn in turns["dual-write"] if turn.parity]
    compared = sum(sum(counts.values()) for counts in parity)
    matched = sum(counts["matched"] for counts in parity)
    return [
        Promise("accepted events stored", 100 * stored / told, "%", 100.0, promised="99.9 %"),
        Promise("parity", 100 * matched / compared, "%", 100.0, promised="100 %"),
    ]
