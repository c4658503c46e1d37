"""Days that fail while the others of their step go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

from activity_pipeline.archive.chain.index import entries_of
from activity_pipeline.archive.chain.manifest import DayEntry
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError, BadDaysError

MOST_TOLD = 10
"""Days whose errors a message spells out."""


class BadDays:
    """What went wrong, a day at a time.

    Attributes:
        errors: The error of each bad day.
    """

    def __init__(self) -> None:
        self.errors: dict[date, ArchiveError] = {}

    @contextmanager
    def keeping(self, day: date) -> Iterator[None]:
        """Keep an error that the block raises about the day.

        Raises:
            ArchiveError: The store does not answer, which is no day's own fault.
        """
        try:
            yield
        except ArchiveError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
                raise
            self.errors[day] = error

    def entries_of(self, store: ArchiveStore, manifests: Mapping[date, str]) -> dict[date, DayEntry]:
        """Return the entry of each day in its manifest, but for days whose manifest cannot be read.

        Raises:
            ArchiveError: The store does not answer.
        """
        try:
            return entries_of(store, manifests)
        except ArchiveError:
            entries: dict[date, DayEntry] = {}
            for day, name in manifests.items():
                with self.keeping(day):
                    entries |= entries_of(store, {day: name})
            return entries

    def tell(self) -> str:
        """Name the bad days with what is wrong with each, the first of them where they are many."""
        told = [f"{day}: {str(error).removeprefix(f'{day}: ')}" for day, error in sorted(self.errors.items())]
        more = [f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else []
        return "; ".join([*told[:MOST_TOLD], *more])

    def check(self) -> None:
        """Raise what was kept.

        Raises:
            ArchiveError: The only bad day's own error.
            BadDaysError: There are several.
        """
        if len(self.errors) == 1:
            raise next(iter(self.errors.values()))
        if self.errors:
            raise BadDaysError(f"{len(self.errors)} days failed: {self.tell()}", errors=self.errors)
