"""The most memory that `archive run` takes, by itself and in a process of its own."""

from __future__ import annotations

from activity_pipeline.bench.archive.day import stored_day
from activity_pipeline.bench.child import run_child
from activity_pipeline.bench.figures import Figure
from activity_pipeline.bench.servers import Servers
from activity_pipeline.bench.turns import Say
from activity_pipeline.errors import ActivityError


def measure_memory(servers: Servers, *, rows: int, say: Say) -> list[Figure]:
    """Archive a day of so many rows, as production does it; it has its primary key alone."""
    say(f"storing a day of {rows:,} rows")
    with stored_day(servers, rows, sealed=False) as day:
        say(f"archiving {day.rows:,} rows")
        (archived,), peak_bytes = run_child(
            ["activity_pipeline", "archive", "run", "--json"],
            {
                "ACTIVITY_POSTGRES_DSN": day.dsn,
                "ACTIVITY_REDIS_URL": servers.stack.redis_url,
                "ACTIVITY_HOT_DAYS": "1",
            },
        )
    if archived["rows"] != day.rows:
        raise ActivityError(f"{archived['rows']} of {day.rows} events were archived")
    name = f"peak memory of archive run, a day of {day.rows:,} rows"
    return [Figure(name, peak_bytes / 2**20, "MiB", 1.5 * 1024, "at most")]
