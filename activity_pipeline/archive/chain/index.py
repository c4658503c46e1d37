"""Which manifest speaks for each day, found by looking at the archive alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date

from activity_pipeline.archive.chain.manifest import FOLDER, DataFile, DayEntry, Manifest, read_manifest
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ManifestError


def newest_entries(store: ArchiveStore, days: Collection[date] | None = None) -> dict[date, DayEntry]:
    """Return the newest entry of each archived day, in order; of `days` alone where given.

    Of the manifests of single days only the newest are read: their names say what they are of.

    Raises:
        ManifestError: A manifest is not one, or its name is none.
        ArchiveError: One cannot be read.
    """
    newest: dict[date, tuple[int, str]] = {}
    of_many: list[str] = []
    for name in store.list(FOLDER):
        span, number = _parts(name)
        if len(span) == 2:
            of_many.append(name)
        elif days is None or span[0] in days:
            newest[span[0]] = max(newest.get(span[0], (0, "")), (number, name))
    entries: dict[date, DayEntry] = {}
    for manifest in read_manifests(store, [*of_many, *(name for _, name in newest.values())]):
        for entry in manifest.days:
            known = entries.get(entry.day)
            if (days is None or entry.day in days) and (known is None or known.generation < entry.generation):
                entries[entry.day] = entry
    return dict(sorted(entries.items()))


def entries_of(store: ArchiveStore, manifests: Mapping[date, str]) -> dict[date, DayEntry]:
    """Return the entry of each day in its manifest, a manifest of many days read once.

    Raises:
        ManifestError: A manifest is not one, or does not speak of the day.
        ArchiveError: One cannot be read.
    """
    names = list(dict.fromkeys(manifests.values()))
    read = dict(zip(names, read_manifests(store, names), strict=True))
    return {day: read[name].entry(day) for day, name in manifests.items()}


def files_of(entries: Iterable[DayEntry]) -> dict[str, DataFile]:
    """Return the files of days by their paths, one of many days once."""
    return {file.path: file for entry in entries for file in entry.files}


def read_manifests(store: ArchiveStore, names: Collection[str]) -> Iterator[Manifest]:
    """Read manifests, in order."""
    yield from (manifest for manifest, _ in store.each(lambda name: read_manifest(store, name), names))


def _parts(name: str) -> tuple[list[date], int]:
    """Return the day, or first and last day, and the number in a manifest's name."""
    span, _, number = name.removeprefix(f"{FOLDER}/").removesuffix(".json").rpartition(".")
    try:
        days = [date.fromisoformat(day) for day in span.split("..")]
        if len(days) <= 2:
            return days, int(number)
    except ValueError:
        pass
    raise ManifestError(f"{name} is not named as a manifest is", name=name)
