"""Pages over every place that holds events are what a plain filter over all of them says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from activity_pipeline.errors import CursorError, QuestionError
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.query import ActivityQuery
from activity_pipeline_tests.integration.query.conftest import NESTED, STEMS, World, at, ids, walk, walk_back

NEEDLES: list[dict[str, Any]] = [
    *NESTED,
    {"tags": ["b"]},
    {"tags": [{"c": 1}]},
    {"tags": [{}]},
    {"list": [[3], 1]},
    {"amount": 1.5},
    {"amount": 12345678901234567891},
    {"ok": 1},
    {"none": None},
    {"ü": {"deep": {}}},
    {"ip": ["10.0.0.1"]},
]


def questions(world: World) -> st.SearchStrategy[Filters]:
    """Filters about the world's days, each field asked for now and then."""
    instants = st.builds(
        lambda back, hours: at(world.day(back), hours), st.integers(-2, 11), st.floats(0, 6, width=16)
    )

    def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(st.none(), st.none(), strategy)

    def some(*values: Any) -> st.SearchStrategy[Any]:
        return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)

    return st.builds(
        Filters,
        since=maybe(instants),
        until=maybe(instants),
        sources=maybe(some("shop0", "shop1", "shop2", "none")),
        actions=maybe(some("order.paid", "ord%er", "refund", "oré")),
        action_prefix=maybe(st.sampled_from(["ord", "ord%", "order.", "oré", "", "z"])),
        statuses=maybe(some("failed", "success", "x")),
        entity_type=maybe(st.sampled_from(["order", "cart"])),
        entity_id=maybe(st.sampled_from(["1", "5", "none"])),
        users=maybe(some(*(UUID(int=n, version=4) for n in range(4)))),
        text=maybe(st.lists(st.sampled_from(list(STEMS)), min_size=1, max_size=2).map(" ".join)),
        metadata=maybe(st.sampled_from(NEEDLES)),
    )


@pytest.mark.parametrize("examples", [8, pytest.param(500, marks=pytest.mark.slow)])
def test_pages_in_both_directions_are_what_a_plain_filter_finds(
    world: World, query: ActivityQuery, examples: int
) -> None:
    world.scatter_everywhere()
    assert walk(query, Filters(), 1000)[0].completeness.days == 13
    shows_what_was_sent(world, query)

    # No shrinking: it would take minutes, and a question is short.
    @given(questions(world), st.integers(7, 60), st.sampled_from(["newest", "oldest"]))
    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate])
    def check(filters: Filters, limit: int, order: Order) -> None:
        wanted = world.naive(filters, order)
        pages = walk(query, filters, limit, order)
        assert ids(pages) == wanted
        assert all(len(page.events) == limit for page in pages[:-1])
        if len(pages) > 1:
            back = walk_back(query, filters, pages[-1], limit, order)
            assert ids(back) == ids(pages[:-1])
        assert query.count(filters).value == len(wanted)
        facets = query.facets(filters)
        assert facets.value == len(wanted)
        assert sum(each.count for each in facets.facets.get("source", ())) == len(wanted)

    check()


def shows_what_was_sent(world: World, query: ActivityQuery) -> None:
    """Every field is as it was sent, and each event is found by its id."""
    page = query.get_activities(Filters(), limit=1000)
    sent = {each["id"]: each for each in world.events}
    assert len(page.events) == len(sent)
    for event in page.events:
        wanted = sent[str(event.id)]
        assert (event.source, event.action, event.status) == tuple(
            wanted[name] for name in ("source", "action", "status")
        )
        assert (event.entity_type, event.entity_id) == (wanted["entity_type"], wanted["entity_id"])
        assert str(event.user_id) == wanted["user_id"]
        assert msgspec.json.decode(event.metadata) == wanted["metadata"]
    for event in page.events[::7]:
        assert query.get_activity(event.id) == event
        assert query.get_activity(event.id, timestamp=event.timestamp) == event


def test_a_changed_question_with_an_old_cursor_is_refused(world: World, query: ActivityQuery) -> None:
    world.scatter(world.day(-1), 5, seed=1)
    cursor = query.get_activities(Filters(), limit=2).next
    assert cursor is not None
    for filters, order in ((Filters(sources=("shop1",)), "newest"), (Filters(), "oldest")):
        with pytest.raises(CursorError, match="other filters"):
            query.get_activities(filters, cursor, 2, order=order)  # type: ignore[arg-type]
    for broken in ("x", cursor[:-3], cursor + "AA", "é", "A" * 1000):
        with pytest.raises(CursorError, match="none of ours"):
            query.get_activities(Filters(), broken, 2)


def test_a_relative_range_is_fixed_by_its_first_page(world: World, query: ActivityQuery) -> None:
    world.scatter(world.day(-1), 5, seed=1)
    assert len(ids(walk(query, Filters(since=timedelta(days=365)), 2))) == 5
    assert ids(walk(query, Filters(since=timedelta(days=1)), 2)) == []


@pytest.mark.parametrize(
    "filters",
    [
        Filters(text="x" * 300),
        Filters(sources=("a\0",)),
        Filters(metadata={"a": "\0"}),
        Filters(metadata={"a": "x" * 5000}),
        Filters(metadata={"a": float("nan")}),
        Filters(statuses=("x",) * 101),
        Filters(since=datetime(2026, 1, 1)),
    ],
    ids=str,
)
def test_what_no_store_could_answer_is_refused(query: ActivityQuery, filters: Filters) -> None:
    with pytest.raises(QuestionError):
        query.get_activities(filters)


def test_nothing_is_stored_yet(query: ActivityQuery) -> None:
    page = query.get_activities(Filters())
    assert (page.events, page.next, page.completeness.days) == ([], None, 0)
    assert query.count(Filters()).value == 0
