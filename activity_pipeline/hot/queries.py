"""Named SQL: `-- name: block` and one line of description in a .sql file, loaded by name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)\n(?=-- )", re.MULTILINE)


@cache
def load_queries(file: str) -> dict[str, LiteralString]:
    """Return the blocks of a .sql file by name.

    Args:
        file: Path of the .sql file, or of the module that it lies beside.
    """
    parts = _NAME.split(Path(file).with_suffix(".sql").read_text())
    # The text is ours, not a user's: LiteralString is what psycopg asks of a query.
    return {
        name: cast(LiteralString, text.strip()) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }
