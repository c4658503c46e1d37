"""The mapping file.

    table = "app.audit_logs"
    key = ["id"]                                # columns that name a row
    time_zone = "Europe/Berlin"                 # of a timestamp without one; leave it out otherwise

    [fields]                                    # a field of the event, and where it comes from
    timestamp = "created_at"                    # a column
    action = "{table_name}.{operation}"         # or a text with columns in braces
    source = ["source", "'app'"]                # or several: the first that is not null; 'a constant'

    [values.operation]                          # other words for what a column holds
    INSERT = "created"

    metadata = ["session_id", "old_values"]     # (above the tables) carried under their own names
    ignored = ["search_vector"]                 # left behind

Each column of the table is in one of these; one that is in none is an error, not a loss.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from activity_pipeline.errors import LegacyError
from activity_pipeline.events.model import FIELDS

MAPPED = tuple(field for field in FIELDS if field not in {"id", "metadata"})
REQUIRED = ("timestamp", "source", "action")
PLACE = re.compile(r"\{([^{}]+)\}")
_CONSTANT = re.compile(r"'(.*)'", re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file.

    Attributes:
        table: schema.table.
        key: Columns that name a row; they make the event's id.
        fields: Where each field of the event comes from.
        time_zone: IANA name of the zone of a timestamp without one; empty where it has one.
        metadata: Columns that are carried in the metadata.
        ignored: Columns that are left behind.
        values: By column: what it holds, and what is said instead.
    """

    table: str
    key: tuple[str, ...]
    fields: dict[str, str | tuple[str, ...]]
    time_zone: str = ""
    metadata: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    values: dict[str, dict[str, str]] = {}

    def sources(self, field: str) -> tuple[str, ...]:
        """Return where a field comes from, the first choice first."""
        said = self.fields.get(field, ())
        return (said,) if isinstance(said, str) else said

    @property
    def time(self) -> str:
        """The column of the timestamp."""
        return self.sources("timestamp")[0]

    def used(self) -> set[str]:
        """Return the columns that a field, the key or the metadata takes."""
        return {
            *self.key,
            *self.metadata,
            *(c for f in self.fields for s in self.sources(f) for c in columns_of(s)),
        }

    def check(self, columns: list[str] | None = None) -> None:
        """Refuse what means nothing.

        Args:
            columns: Those of the table, where they are known: each must be in the file.

        Raises:
            LegacyError: With everything that is wrong.
        """
        faults = list(self._faults())
        if columns is not None:
            named = self.used() | set(self.ignored) | set(self.values)
            faults += [f"{self.table} has no column {name}" for name in sorted(named - set(columns))]
            left = [name for name in columns if name not in named]
            faults += [f"column {name} is in no field, nor in metadata or ignored" for name in left]
        if faults:
            raise LegacyError("the mapping: " + "; ".join(faults))

    def _faults(self) -> Iterator[str]:
        if self.table.count(".") != 1:
            yield f"table is schema.table, not {self.table!r}"
        if not self.key:
            yield "key names no column"
        yield from (f"there is no field {name}" for name in self.fields if name not in MAPPED)
        yield from (f"field {name} is missing" for name in REQUIRED if not self.sources(name))
        times = self.sources("timestamp")
        if times and (len(times) > 1 or columns_of(times[0]) != [times[0]]):
            yield "timestamp is one column"
        both = set(self.metadata) & set(self.ignored)
        yield from (f"column {name} is in metadata and in ignored" for name in sorted(both))
        try:
            ZoneInfo(self.time_zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            yield f"there is no time zone {self.time_zone}"


def columns_of(source: str) -> list[str]:
    """Return the columns that a source of a field names: itself, those in braces, or none of a constant."""
    if constant_of(source) is not None:
        return []
    return PLACE.findall(source) if PLACE.search(source) else [source]


def constant_of(source: str) -> str | None:
    """Return what a source in quotes says; None for any other."""
    found = _CONSTANT.fullmatch(source)
    return found[1] if found else None


def read_mapping(path: Path) -> Mapping:
    """Read the file and check it by itself.

    Raises:
        LegacyError: It is no TOML, or has a name or a value that means nothing.
    """
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text()), Mapping)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise LegacyError(f"{path}: {error}") from error
    mapping.check()
    return mapping


def write_mapping(mapping: Mapping) -> str:
    """Return the file's text."""
    lines = [f"table = {_text(mapping.table)}", f"key = {_texts(mapping.key)}"]
    if mapping.time_zone:
        lines.append(f"time_zone = {_text(mapping.time_zone)}")
    lines += [
        "",
        "# Carried in the metadata, under their own names.",
        f"metadata = {_texts(mapping.metadata)}",
    ]
    lines += ["# Left behind.", f"ignored = {_texts(mapping.ignored)}"]
    lines += [
        "",
        "# A column, a text with {columns}, or several: the first that is not null; 'a constant'.",
        "[fields]",
    ]
    for field in MAPPED:
        if sources := mapping.sources(field):
            lines.append(f"{field} = {_text(sources[0]) if len(sources) == 1 else _texts(sources)}")
    for column, words in mapping.values.items():
        lines += [
            "",
            f"[values.{_name(column)}]",
            *(f"{_name(word)} = {_text(said)}" for word, said in words.items()),
        ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    # A basic string of TOML is one of JSON, but for DEL.
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _texts(texts: tuple[str, ...]) -> str:
    return "[" + ", ".join(_text(text) for text in texts) + "]"


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _text(name)
