"""Tables of crashes have many rows: which of them every run of the tests goes through."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

Row = TypeVar("Row")


def each_row(rows: Iterable[Row], *, soon: Collection[Row]) -> list[ParameterSet]:
    """Return all rows as parameters; those that are not for every run are marked slow."""
    listed = list(rows)
    if unknown := set(soon) - set(listed):
        raise ValueError(f"no such rows: {unknown}")
    return [pytest.param(row, marks=[] if row in soon else [pytest.mark.slow]) for row in listed]
