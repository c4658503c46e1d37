"""Days that move between Postgres and Parquet while they are read: no event is lost or shown twice."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator

import pytest

from activity_pipeline.archive.analyst.search import ColdSearch
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot import activities
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.query import ActivityQuery
from activity_pipeline.query.keeping import Keeper
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults import children
from activity_pipeline_tests.integration.query.conftest import World, at, ids


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_days_are_archived_between_pages(world: World, query: ActivityQuery, order: Order) -> None:
    for back in (3, 2, 1):
        world.scatter(world.day(back), 7, seed=back)
    wanted = world.naive(Filters(), order)
    steps: list[Callable[[], object]] = [
        lambda: world.archive([world.day(2)]),
        world.archive,
        lambda: world.restore(world.day(2)),
        lambda: world.scatter(world.day(0), 0, seed=9),
    ]
    found, cursor = [], None
    while True:
        page = query.get_activities(Filters(), cursor, 4, order=order)
        found += ids([page])
        cursor = page.next
        if cursor is None:
            break
        if steps:
            steps.pop(0)()
    assert found == wanted


def test_a_day_is_archived_while_its_page_is_read(
    world: World, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for back in (2, 1):
        world.scatter(world.day(back), 7, seed=back)
    moves = [lambda: world.archive([world.day(1)]), lambda: world.archive([world.day(2)])]

    @contextlib.contextmanager
    def lend() -> Iterator[Statements]:
        with connect(running.settings.postgres_dsn) as connection:
            yield connection

    find_keys = activities.find_keys

    def find_and_move(*arguments: object, **named: object) -> object:
        # The archive is read by now, and the table is about to be: the day is in neither, then.
        if moves:
            moves.pop(0)()
        return find_keys(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(activities, "find_keys", find_and_move)
    cold = ColdSearch(running.store)
    page = ActivityQuery(lend, cold, Keeper()).get_activities(Filters())
    cold.close()
    assert moves == []
    assert ids([page]) == world.naive(Filters())
    assert page.completeness.missing == []


@pytest.mark.faults
@pytest.mark.parametrize("crash", ["publish", "inside retire", "retire"])
def test_an_archive_run_is_killed_between_pages(world: World, query: ActivityQuery, crash: str) -> None:
    for back in (2, 1):
        world.scatter(world.day(back), 7, seed=back)
    wanted = world.naive(Filters())
    first = query.get_activities(Filters(), limit=4)
    settings = world.running.settings
    child = children.start(children.archive, settings.postgres_dsn, settings.archive_url, world.due(), crash)
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    second = query.get_activities(Filters(), first.next, 4)
    world.archive()
    third = query.get_activities(Filters(), second.next, 1000)
    assert ids([first, second, third]) == wanted
    assert world.running.ledger().residual == 0


def test_an_archive_that_cannot_be_read_is_said_to_be_missing(world: World, query: ActivityQuery) -> None:
    for back in (2, 1, -1):
        world.scatter(world.day(back), 5, seed=back + 5)
    world.archive()
    lost = world.newest(world.day(2)).files[0].path
    world.running.store.remove(lost)
    page = query.get_activities(Filters())
    assert page.completeness.missing == [world.day(2)]
    assert ids([page]) == world.naive(Filters(since=at(world.day(1))))
