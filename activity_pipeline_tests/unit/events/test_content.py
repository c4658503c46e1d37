"""Content hashes add up, whatever the order; that Postgres and DuckDB agree is an integration test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.events.content import EMPTY, LANE, Content

lanes = st.integers(0, LANE - 1)
contents = st.builds(Content, st.integers(0, 10**12), st.tuples(lanes, lanes))


@given(parts=st.lists(contents, max_size=6), order=st.randoms())
def test_a_sum_does_not_depend_on_the_order(parts: list[Content], order: object) -> None:
    shuffled = sorted(parts, key=lambda _: order.random())  # type: ignore[attr-defined]
    assert sum(parts, EMPTY) == sum(shuffled, EMPTY)


@given(one=contents, two=contents)
def test_nothing_changes_nothing_and_something_changes_something(one: Content, two: Content) -> None:
    assert one + EMPTY == one
    assert (one + two == one) == (two == EMPTY)


@given(content=contents)
def test_a_digest_is_read_back(content: Content) -> None:
    assert len(content.digest) == 30
    assert Content.parse(content.rows, content.digest) == content


@given(rows=st.integers(0, 10), first=st.integers(0, 10**30), second=st.integers(0, 10**30))
def test_sums_of_any_size_are_folded(rows: int, first: int, second: int) -> None:
    content = Content.of(rows, first, second)
    assert content.lanes == (first % LANE, second % LANE)
    assert content == Content.of(rows, first + LANE, second)


@pytest.mark.parametrize("digest", ["", "0" * 29, "0" * 31, "g" * 30])
def test_what_is_not_a_digest_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|invalid literal"):
        Content.parse(1, digest)
