"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import psycopg
import redis

PACKAGES = (
    "activity-pipeline",
    "adbc-driver-postgresql",
    "duckdb",
    "pyarrow",
    "psycopg",
    "redis",
    "zstandard",
)


def describe(
    *, postgres_dsn: str | None = None, redis_url: str | None = None, packages: Sequence[str] = ()
) -> dict[str, str]:
    """Return machine, operating system and versions, each under its name.

    Args:
        postgres_dsn: A Postgres whose version counts.
        redis_url: A Redis whose version counts.
        packages: Packages beside PACKAGES whose versions count.
    """
    described = {
        "cpu": f"{os.cpu_count()} x {_cpu_model()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in (*PACKAGES, *packages)},
    }
    if postgres_dsn:
        with psycopg.connect(postgres_dsn) as connection:
            described["postgres"] = str(connection.info.parameter_status("server_version"))
    if redis_url:
        with redis.Redis.from_url(redis_url) as client:
            described["redis-server"] = str(client.info("server")["redis_version"])
    return described


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
