"""What a person says that the catalogue does not, in a TOML file.

An example, of which every part may be missing:

    audit_tables = ["app.audit_logs"]       # default: found by their names

    [functions]                             # what the analysis cannot see or gets wrong
    "app.history_row" = "audit"             # audit | mixed | other

    [triggers]
    "app.orders.order_paid" = "other"       # a trigger alone: schema.table.trigger

    [phases]                                # tables, * for any text; the first that fits
    user-facing = ["app.users", "app.user_*"]
    system = ["app.jobs"]
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import msgspec

from activity_pipeline.errors import LegacyError

Verdict = Literal["audit", "mixed", "unknown", "other"]
Said = Literal["audit", "mixed", "other"]
Phase = Literal["redundant", "user-facing", "system", "rest"]
PHASES: tuple[Phase, ...] = ("redundant", "user-facing", "system", "rest")


class Overrides(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file.

    Attributes:
        audit_tables: schema.table of the tables that hold the audit rows; empty: found by their names.
        functions: What a function is, by schema.function.
        triggers: What a trigger is, by schema.table.trigger.
        phases: Patterns of tables by phase.
    """

    audit_tables: tuple[str, ...] = ()
    functions: dict[str, Said] = {}
    triggers: dict[str, Said] = {}
    phases: dict[Literal["user-facing", "system", "rest"], tuple[str, ...]] = {}

    def phase_of(self, table_name: str) -> Phase | None:
        """Return the phase that the file puts a table into."""
        for phase, patterns in self.phases.items():
            if any(fnmatchcase(table_name, pattern) for pattern in patterns):
                return phase
        return None


def read_overrides(path: Path | None) -> Overrides:
    """Read the file; without one nothing is said.

    Raises:
        LegacyError: It is no TOML, or has a name or a value that means nothing.
    """
    if path is None:
        return Overrides()
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Overrides)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise LegacyError(f"{path}: {error}") from error
