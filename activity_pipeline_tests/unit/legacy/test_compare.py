"""What counts as the same value, and which row goes with which event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from activity_pipeline.hot.changes import ToldChange
from activity_pipeline.legacy.compare.pairs import AuditedChange, Pair, pair_up
from activity_pipeline.legacy.compare.values import differing, read_row, same

AT = datetime(2026, 3, 1, tzinfo=UTC)
ROW = AuditedChange(1, "app.users", "UPDATE", "7", AT, '{"id": 7, "name": "a"}', '{"id": 7, "name": "b"}')
EVENT = ToldChange(1, "app.users", "UPDATE", "7", AT, None, '{"name": "a"}', '{"name": "b"}')


def paired(rows: list[AuditedChange], events: list[ToldChange], *passed: str) -> list[Pair]:
    return list(pair_up(rows, events, lambda _, column: column in passed))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("5.00"), "5"),
        (5, "5.00"),
        (Decimal("5.0"), 5),
        ("2026-03-01T10:00:00.120000+00:00", "2026-03-01T10:00:00.12Z"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01 10:00:00+00"),
        ({"a": [1, {"b": Decimal("2.50")}]}, {"a": [Decimal("1.0"), {"b": "2.5"}]}),
        (None, None),
        (True, True),
    ],
)
def test_the_same_value_is_written_in_many_ways(one: Any, other: Any) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, "6"),
        (5, "five"),
        ("5", "5.0"),
        ("NaN", 5),
        (None, ""),
        (True, 1),
        (0, None),
        ({"a": 1}, {"a": 1, "b": None}),
        ([1], [1, 2]),
        ([1], {"1": 1}),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:01Z"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00"),
        ("2026-03-01T99:00:00Z", "2026-03-01T98:00:00Z"),
    ],
)
def test_other_values_are_others(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same(other, one)


def test_what_an_event_leaves_out_must_not_have_changed() -> None:
    before, after = read_row('{"a": 1, "b": 2}'), read_row('{"a": 1, "b": 3}')

    def columns(operation: str, *told: str | None, **sides: Any) -> list[str]:
        old, new = (read_row(each) for each in told)
        return differing(operation, sides.get("audited", (before, after)), (old, new), lambda _: False)

    assert columns("UPDATE", '{"b": 2}', '{"b": 3}') == []
    assert columns("UPDATE", '{"a": 1}', '{"a": 1}') == ["b"]
    assert columns("UPDATE", None, '{"b": 3}') == ["old"]
    assert columns("UPDATE", '{"b": "[redacted]"}', '{"b": "[redacted]"}') == []
    assert columns("UPDATE", None, '{"b": 3}', audited=(None, after)) == []
    assert columns("INSERT", None, '{"b": 3}', audited=(None, after)) == ["a"]
    assert columns("INSERT", None, '{"b": 3}', audited=(None, {"a": None, "b": 3})) == []
    assert columns("DELETE", "no JSON", None, audited=(before, None)) == ["old"]


def test_the_nth_row_goes_with_the_nth_event() -> None:
    again = replace(ROW, new='{"id": 7, "name": "c"}')
    second = replace(EVENT, new='{"name": "c"}')
    assert [pair.kind for pair in paired([ROW, again], [EVENT, second])] == ["matched", "matched"]
    swapped = paired([ROW, again], [second, EVENT])
    assert [(pair.kind, pair.columns) for pair in swapped] == [("different", ("name",))] * 2
    assert [pair.kind for pair in paired([ROW, again], [EVENT])] == ["matched", "missing"]
    assert [pair.kind for pair in paired([ROW], [EVENT, second])] == ["matched", "extra"]
    assert [pair.kind for pair in paired([ROW, again], [second, EVENT], "name")] == ["matched", "matched"]


@pytest.mark.parametrize(
    "other",
    [{"txid": 2}, {"table_name": "app.teams"}, {"operation": "DELETE"}, {"key": "8"}],
    ids=lambda other: next(iter(other)),
)
def test_all_of_the_key_counts(other: dict[str, Any]) -> None:
    assert sorted(pair.kind for pair in paired([ROW], [replace(EVENT, **other)])) == ["extra", "missing"]


def test_an_event_of_many_rows_tells_of_those_that_no_other_tells_of() -> None:
    rows = [replace(ROW, key=str(number)) for number in range(3)]
    many = replace(EVENT, key=None, rows=3, old=None, new=None)
    assert [pair.in_summary for pair in paired(rows, [many])] == [True] * 3
    found = paired(rows[:2], [many, replace(EVENT, key="0")])
    assert [(pair.kind, pair.rows) for pair in found] == [("matched", 1), ("matched", 1), ("extra", 2)]


def test_cut_values_are_not_compared() -> None:
    (pair,) = paired([ROW], [replace(EVENT, new='{"name": "b…"}', cut='["name"]')])
    assert pair.kind == "matched"
