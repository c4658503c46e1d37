"""A year of a simulated shop's days, cold twice: archived and compacted, and as unsorted files.

The archive is made as production makes it: through queue and hot tables, `archive_days`, `compact`. The
other side has the same rows in one file a day, as they arrived, as pyarrow writes them with zstd 3.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import activity_pipeline.archive
from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.bench.archive.day import end_of, read_arrived, write_plain
from activity_pipeline.bench.load import load_events
from activity_pipeline.bench.servers import Servers
from activity_pipeline.bench.turns import Say
from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.connection import open_hot
from activity_pipeline.hot.days import list_days
from activity_pipeline.local.shop import simulate

LAST_DAY = date(2025, 12, 31)
DAYS_PER_STEP = 28


@dataclass(frozen=True, slots=True)
class Year:
    """A folder with both sides."""

    folder: Path

    @property
    def archive(self) -> Path:
        """The archive's root."""
        return self.folder / "archive"

    @property
    def unsorted(self) -> Path:
        """The folder of the unsorted files."""
        return self.folder / "unsorted"


@contextlib.contextmanager
def cold_year(servers: Servers, data: Path | None, *, days: int, rows: int, say: Say) -> Iterator[Year]:
    """Yield a year, made unless this release has made the same one before.

    Args:
        servers: What it is made with.
        data: Folder in which years are kept; without one it is gone afterwards.
        days: Days of the year, 365 but for a test.
        rows: Events of the year.
        say: Told how it goes.
    """
    if data is None:
        with tempfile.TemporaryDirectory(prefix="activity-bench-") as folder:
            _build(servers, Year(Path(folder)), days, rows, say)
            yield Year(Path(folder))
        return
    year = Year(data.expanduser().resolve() / f"year-{days}-days-{rows}-rows-{_release()}")
    if year.folder.exists():
        say(f"taking {year.folder}")
    else:
        data.expanduser().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=year.folder.parent) as unfinished:
            _build(servers, Year(Path(unfinished) / "year"), days, rows, say)
            (Path(unfinished) / "year").rename(year.folder)
    yield year


def _release() -> str:
    """Return a hash of the code that writes archives."""
    package = Path(activity_pipeline.archive.__file__).parent
    digest = hashlib.sha256()
    for folder in ("chain", "days", "files"):
        for path in sorted((package / folder).iterdir()):
            if path.suffix in {".py", ".sql"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _build(servers: Servers, year: Year, days: int, rows: int, say: Say) -> None:
    year.unsorted.mkdir(parents=True)
    store = ArchiveStore(str(year.archive))
    with servers.fresh_database() as dsn, open_hot(dsn) as (statements, bulk):
        say(f"storing {rows:,} events of {days} days")
        lines = simulate(days=days, events=rows, seed=1, until=end_of(LAST_DAY))
        stored = load_events(servers, dsn, lines)
        known = [day.day for day in list_days(statements)]
        for start in range(0, len(known), DAYS_PER_STEP):
            step = known[start : start + DAYS_PER_STEP]
            for day in step:
                write_plain(read_arrived(bulk, day), year.unsorted / f"{day}.parquet")
            archive_days(statements, bulk, store, step)
            say(f"archived {start + len(step)} of {len(known)} days")
        for file in compact(statements, store):
            say(f"compacted {file.files} files to {file.path}")
    found = verify(store)
    if found.faults or not found.rows == stored == rows:
        raise ActivityError(f"the archive of {rows} events holds {found.rows}, faults: {found.faults}")
