"""The cache: never out of date for settled days, one finder for all who ask, and nothing depends on it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from activity_pipeline.events.days import today
from activity_pipeline.events.filters import Filters
from activity_pipeline.hot import days as hot_days
from activity_pipeline.query import ActivityQuery, open_query
from activity_pipeline.query.cache import AnswerCache, open_cache
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.query.conftest import World, at, ids


@pytest.fixture
def cached(running: Running) -> Iterator[ActivityQuery]:
    """Questions with a cache."""
    with open_query(running.settings) as query:
        yield query


@pytest.fixture
def cache(running: Running) -> Iterator[AnswerCache]:
    """The cache alone."""
    with contextlib.closing(cache_of(running)) as cache:
        yield cache


def cache_of(running: Running, **changes: str) -> AnswerCache:
    cache = open_cache(msgspec.structs.replace(running.settings, **changes))
    assert cache is not None
    return cache


def test_a_settled_day_is_kept_until_it_changes(world: World, cached: ActivityQuery) -> None:
    world.scatter(world.day(-1), 6, seed=1)
    hot_days.seal(world.running.statements, [world.day(-1)])
    answers = [cached.get_activities(Filters()) for _ in range(2)]
    assert [answer.cache for answer in answers] == ["miss", "hit"]
    assert ids([answers[0]]) == ids([answers[1]]) == world.naive(Filters())
    world.scatter(world.day(-1), 3, seed=2)
    changed = cached.get_activities(Filters())
    assert (changed.cache, ids([changed])) == ("miss", world.naive(Filters()))
    world.scatter(world.day(1), 3, seed=3)
    world.archive()
    assert ids([cached.get_activities(Filters())]) == world.naive(Filters())
    assert cached.count(Filters()).value == cached.count(Filters()).value == 12
    assert cached.facets(Filters()).facets == cached.facets(Filters()).facets
    hits = cached.hits
    assert hits is not None
    assert (hits.hits, hits.errors) == (3, 0)
    assert hits.rate == pytest.approx(3 / 8)


def test_an_open_day_says_that_it_has_changed(world: World, cached: ActivityQuery) -> None:
    world.scatter(today(), 5, seed=1)
    whole = Filters(since=at(today()))
    first = cached.get_activities(whole)
    world.scatter(today(), 5, seed=2)
    deadline = time.monotonic() + 20
    again = cached.get_activities(whole)
    if again.cache == "hit":  # two seconds have not passed
        assert again.completeness.stale == [today()]
        assert ids([again]) == ids([first])
    while len(again.events) < 10:
        assert time.monotonic() < deadline
        again = cached.get_activities(whole)
    assert again.completeness.stale == []
    assert ids([again]) == world.naive(whole)


def test_an_answer_that_lacks_something_is_not_kept(world: World, cached: ActivityQuery) -> None:
    world.scatter(world.day(1), 5, seed=1)
    world.archive()
    (file,) = world.newest(world.day(1)).files
    store = world.running.store
    content = store.read(file.path)
    store.remove(file.path)
    assert cached.get_activities(Filters()).completeness.missing == [world.day(1)]
    with store.writing(file.path) as stream:
        stream.write(content)
    whole = cached.get_activities(Filters())
    assert (whole.cache, ids([whole])) == ("miss", world.naive(Filters()))


@pytest.mark.parametrize("processes", [1, 2])
def test_of_many_who_ask_at_once_one_finds_the_answer(running: Running, processes: int) -> None:
    made = threading.Semaphore(0)
    found: list[int] = []

    def make() -> tuple[bytes, float]:
        found.append(1)
        assert made.acquire(timeout=20)
        return b"answer", 60.0

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        # Two caches know as much of each other as two processes do.
        caches = [stack.enter_context(contextlib.closing(cache_of(running))) for _ in range(processes)]
        asked = [pool.submit(caches[n % processes].get, "key", make) for n in range(8)]
        made.release()
        assert {each.result()[0] for each in asked} == {b"answer"}
    assert found == [1]


def test_who_waits_finds_it_himself_where_the_finder_gives_up(cache: AnswerCache) -> None:
    begun, give_up = threading.Event(), threading.Event()

    def fail() -> tuple[bytes, float]:
        begun.set()
        assert give_up.wait(20)
        raise ValueError("gave up")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", fail)
        assert begun.wait(20)
        second = pool.submit(cache.get, "key", lambda: (b"answer", 60.0))
        give_up.set()
        with pytest.raises(ValueError, match="gave up"):
            first.result()
        assert second.result()[0] == b"answer"


def test_without_redis_answers_are_found_all_the_same(world: World, running: Running) -> None:
    world.scatter(world.day(-1), 5, seed=1)
    settings = msgspec.structs.replace(running.settings, cache_url="redis://127.0.0.1:9/0")
    with open_query(settings) as query:
        for _ in range(2):
            page = query.get_activities(Filters())
            assert (page.cache, ids([page])) == ("miss", world.naive(Filters()))
        assert query.hits is not None
        assert query.hits.errors == 1
    with open_query(msgspec.structs.replace(settings, cache_url="off")) as query:
        assert query.get_activities(Filters()).cache == "none"


def test_answers_are_kept_apart_from_the_queue(cache: AnswerCache, running: Running) -> None:
    cache.get("key", lambda: (b"answer", 60.0))
    assert running.queue.keys(b"activity:query:*") == []
    assert cache.get("key", lambda: (b"other", 60.0)) == (b"answer", True)
