"""What tables and columns mean: the comments that the migrations give them in Postgres, told once."""

from __future__ import annotations

import re
from functools import cache

from activity_pipeline.hot.migrations import available

_COMMENT = re.compile(
    r"^comment on (?:table|view|column) (\w+)(?:\.(\w+))? is\s+((?:'[^']*'\s*)+);", re.MULTILINE
)
_AS_IN = "As in "


@cache
def table_comments() -> dict[str, dict[str, str]]:
    """Return for each table in Postgres the comments of its columns, and its own under an empty name."""
    said: dict[str, dict[str, str]] = {}
    for migration in available():
        for table, column, literals in _COMMENT.findall(migration.forward):
            # Literals that follow each other on lines of their own are one; a doubled quote is a quote.
            text = re.sub(r"'\s*\n\s*'", "", literals.strip())[1:-1].replace("''", "'")
            said.setdefault(table, {})[column] = text
    return {
        table: {column: _looked_up(said, column, text) for column, text in columns.items()}
        for table, columns in said.items()
    }


def _looked_up(said: dict[str, dict[str, str]], column: str, text: str) -> str:
    other = said.get(text.removeprefix(_AS_IN), {}) if text.startswith(_AS_IN) else {}
    return other.get(column, text)
