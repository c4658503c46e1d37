"""One event, its neighbours, and questions that are given up."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest

from activity_pipeline.archive.analyst.search import ColdSearch
from activity_pipeline.errors import BusyError, CancelledError
from activity_pipeline.events.filters import Filters
from activity_pipeline.query import ActivityQuery, Call
from activity_pipeline_tests.integration.query.conftest import World


def test_an_event_that_is_not_there(world: World, query: ActivityQuery) -> None:
    world.scatter(world.day(1), 5, seed=1)
    world.archive()
    assert query.get_activity(UUID(int=1)) is None
    assert query.neighbours(UUID(int=1)) is None


def test_neighbours_are_of_the_same_entity_or_user(world: World, query: ActivityQuery) -> None:
    for back in (1, 0):
        world.scatter(world.day(back), 20, seed=back)
    world.archive()
    for each in world.events[::9]:
        near = query.neighbours(UUID(each["id"]), limit=2)
        assert near is not None
        entity = Filters(
            entity_type=each["entity_type"],
            entity_id=each["entity_id"],
            since=near.event.timestamp - timedelta(days=30),
            until=near.event.timestamp + timedelta(days=30),
        )
        line = world.naive(entity, "oldest")
        at = line.index(near.event.id)
        assert near.entity is not None
        assert [event.id for event in near.entity.before] == line[max(0, at - 2) : at]
        assert [event.id for event in near.entity.after] == line[at + 1 : at + 3]


def test_a_question_about_cold_days_ends_when_it_is_given_up(
    world: World, query: ActivityQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.scatter(world.day(1), 5, seed=1)
    world.archive()
    call, begun, go_on = Call(), threading.Event(), threading.Event()

    def judge(self: object, texts: list[object]) -> list[bool]:
        begun.set()
        assert go_on.wait(20)
        return [False] * len(texts)

    monkeypatch.setattr("activity_pipeline.query.reading.Reading._judge", judge)
    world.scatter(world.day(2), 20, seed=2)
    world.archive()

    def leave() -> None:
        assert begun.wait(20)
        call.cancel()
        go_on.set()

    leaving = threading.Thread(target=leave)
    leaving.start()
    with pytest.raises(CancelledError):
        query.get_activities(Filters(text="card"), call=call)
    leaving.join()
    assert len(query.get_activities(Filters()).events) == 25


def test_a_question_that_takes_too_long_ends(world: World, query: ActivityQuery) -> None:
    world.scatter(world.day(1), 5, seed=1)
    with pytest.raises(BusyError, match="too long"):
        query.get_activities(Filters(), call=Call(timeout_s=0))


def test_further_questions_about_cold_days_wait_for_their_turn(
    world: World, query: ActivityQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.scatter(world.day(1), 5, seed=1)
    world.archive()
    monkeypatch.setattr("activity_pipeline.archive.analyst.search.WAIT_S", 0.01)
    monkeypatch.setattr(query, "_cold", ColdSearch(world.running.store, at_once=0))
    with pytest.raises(BusyError, match="archived days"):
        query.get_activities(Filters())
