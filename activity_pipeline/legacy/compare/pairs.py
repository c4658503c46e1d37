"""Audit rows and events of the same changes, in pairs. Pure.

Both come by transaction. Within one, the nth row of a table, operation and key goes with the nth event of
the same; what is left over is told by events of many rows, or by none.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, zip_longest
from typing import Literal

import msgspec

from activity_pipeline.hot.changes import ToldChange
from activity_pipeline.legacy.compare.values import differing, read_row

Kind = Literal["matched", "missing", "extra", "different"]


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """An audit row.

    Attributes:
        txid: The transaction.
        table_name: schema.table.
        operation: INSERT, UPDATE or DELETE.
        key: The row's primary key, parts joined by commas.
        at: When it was written.
        old: The row before the change, as JSON.
        new: The row after it, as JSON.
    """

    txid: int
    table_name: str
    operation: str
    key: str | None
    at: datetime
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What became of a change.

    Attributes:
        kind: matched: both have it; missing: no event; extra: no audit row; different: other values.
        table_name: schema.table.
        operation: INSERT, UPDATE or DELETE.
        key: The row's key.
        txid: The transaction.
        at: When the audit row was written, or the event where there is none.
        columns: On which the two do not agree.
        rows: How many rows this is about.
        in_summary: Whether an event of many rows tells of it: no values were compared.
    """

    kind: Kind
    table_name: str
    operation: str
    key: str | None
    txid: int
    at: datetime
    columns: tuple[str, ...] = ()
    rows: int = 1
    in_summary: bool = False


Passes = Callable[[str, str], bool]
"""Whether a table's column is not to be compared."""


def pair_up(audited: Iterable[AuditedChange], told: Iterable[ToldChange], passes: Passes) -> Iterator[Pair]:
    """Yield what became of each change; no more than one transaction is in memory.

    Args:
        audited: Audit rows by transaction.
        told: Events by transaction, with the tables named as the rows name them.
        passes: Whether a table's column is not to be compared.
    """
    both: Iterator[AuditedChange | ToldChange] = heapq.merge(audited, told, key=lambda each: each.txid)
    for _, of_one in groupby(both, key=lambda each: each.txid):
        yield from _of_transaction(of_one, passes)


def _of_transaction(of_one: Iterable[AuditedChange | ToldChange], passes: Passes) -> Iterator[Pair]:
    rows: dict[tuple[str, str, str | None], list[AuditedChange]] = defaultdict(list)
    events: dict[tuple[str, str, str | None], list[ToldChange]] = defaultdict(list)
    budgets: dict[tuple[str, str], int] = defaultdict(int)
    last: dict[tuple[str, str], ToldChange] = {}
    for each in of_one:
        if isinstance(each, AuditedChange):
            rows[each.table_name, each.operation, each.key].append(each)
        elif each.rows is not None:
            budgets[each.table_name, each.operation] += each.rows
            last[each.table_name, each.operation] = each
        else:
            events[each.table_name, each.operation, each.key].append(each)
    for match in dict.fromkeys([*rows, *events]):
        about = match[:2]
        for row, event in zip_longest(rows.get(match, ()), events.get(match, ())):
            if row is None:
                yield _pair("extra", event)
            elif event is not None:
                columns = _columns(row, event, passes)
                yield _pair("different" if columns else "matched", row, columns=columns)
            elif budgets[about]:
                budgets[about] -= 1
                yield _pair("matched", row, in_summary=True)
            else:
                yield _pair("missing", row)
    for about, left in budgets.items():
        if left:
            yield _pair("extra", last[about], rows=left)


def _columns(row: AuditedChange, event: ToldChange, passes: Passes) -> tuple[str, ...]:
    if (row.old, row.new) == (event.old, event.new):
        return ()
    cut = msgspec.json.decode(event.cut, type=list[str]) if event.cut else []
    return tuple(
        differing(
            row.operation,
            (read_row(row.old), read_row(row.new)),
            (read_row(event.old), read_row(event.new)),
            lambda column: column in cut or passes(row.table_name, column),
        )
    )


def _pair(
    kind: Kind,
    of: AuditedChange | ToldChange,
    *,
    columns: tuple[str, ...] = (),
    rows: int = 1,
    in_summary: bool = False,
) -> Pair:
    return Pair(kind, of.table_name, of.operation, of.key, of.txid, of.at, columns, rows, in_summary)
