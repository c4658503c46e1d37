"""A pipeline whose events are everywhere at once, and what a plain filter over all of them says."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from activity_pipeline.archive import export_days
from activity_pipeline.archive.analyst.search import ColdSearch
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot import days as hot_days
from activity_pipeline.hot.connection import connect
from activity_pipeline.query import ActivityQuery, Page
from activity_pipeline.query.keeping import Keeper
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Warm
from activity_pipeline_tests.lines import event, line

STEMS = {
    "paid": "paid",
    "card": "card",
    "cards": "card",
    "Happiness": "happi",
    "happy": "happi",
    "dying": "die",
    "die": "die",
    "naïve": "naïv",
    "42": "42",
}
"""Words of descriptions, and what the search takes them for."""

NESTED: list[dict[str, Any]] = [
    {},
    {"ip": "10.0.0.1"},
    {"ip": "10.0.0.2", "tags": ["a", "b", {"c": 1}]},
    {"amount": 1.50, "list": [1, 2, [3]]},
    {"amount": 12345678901234567890, "ok": True, "none": None},
    {"quote": 'a "quoted"\n\\ text', "ü": {"deep": {"er": "ß\u0001"}}},
]


def described(random: random.Random) -> dict[str, Any]:
    """Return metadata, most of it with a description."""
    metadata = dict(random.choice(NESTED))
    if random.random() < 0.7:
        metadata["description"] = " ".join(random.sample(list(STEMS), random.randint(0, 3)))
    return metadata


@dataclass
class World(Warm):
    """A pipeline with a plain list of all its events beside it.

    Attributes:
        events: All events, as `lines.event` makes them.
    """

    events: list[dict[str, Any]] = field(default_factory=list)

    def scatter(self, day: date, count: int, seed: int) -> None:
        """Send random events of a day, some of them at the same instant, and store them."""
        chance = random.Random(seed)
        start = datetime.combine(day, datetime.min.time(), UTC)
        sent = []
        for number in range(len(self.events), len(self.events) + count):
            at = start + timedelta(hours=chance.randint(0, 5), microseconds=chance.choice((0, 0, 1)))
            sent.append(
                event(
                    number,
                    at,
                    action=chance.choice(("order.paid", "order.card", "ord%er", "refund", "oré")),
                    entity_type=chance.choice(("order", "cart", None)),
                    metadata=chance.choice((None, described(chance), described(chance))),
                )
            )
        self.running.send(*(line(0, start, **each) for each in sent), sequence=len(self.events))
        self.events += sent
        self.running.drain()

    def scatter_everywhere(self, count: int = 8) -> None:
        """Have events in packs, in files of a day, restored, late, exported, sealed and open."""
        running = self.running
        for back in range(9, 1, -1):
            self.scatter(self.day(back), count, seed=back)
        self.archive()
        list(compact(running.statements, running.store))
        self.scatter(self.day(1), count, seed=20)
        self.archive()
        self.restore(self.day(5))
        self.scatter(self.day(3), count, seed=21)  # late, of a day in a pack
        self.scatter(self.day(5), count, seed=22)  # late, of a restored day
        self.scatter(self.day(0), count, seed=23)
        self.scatter(self.day(-1), count, seed=24)
        hot_days.seal(running.statements, [self.day(-1)])
        self.scatter(self.day(10), count, seed=25)
        list(export_days(running.statements, running.bulk, running.store, [self.day(10)]))
        self.scatter(today(), count, seed=26)

    def naive(self, filters: Filters, order: Order = "newest") -> list[UUID]:
        """Return the ids that a plain filter over all events finds."""
        found = [
            (datetime.fromisoformat(each["timestamp"]), UUID(each["id"]))
            for each in self.events
            if is_wanted(each, filters)
        ]
        return [each for _, each in sorted(found, reverse=order == "newest")]


def is_wanted(each: dict[str, Any], filters: Filters) -> bool:
    """Whether an event is like what is asked for; written as plainly as it goes."""
    at = datetime.fromisoformat(each["timestamp"])
    metadata = each["metadata"]
    # Postgres reads an action with a dot as the name of a host, which is one word.
    words = [each["action"], *(metadata or {}).get("description", "").split()]
    checks = [
        not isinstance(filters.since, datetime) or at >= filters.since,
        filters.until is None or at < filters.until,
        filters.sources is None or each["source"] in filters.sources,
        filters.actions is None or each["action"] in filters.actions,
        filters.action_prefix is None or each["action"].startswith(filters.action_prefix),
        filters.statuses is None or each["status"] in filters.statuses,
        filters.entity_type is None or each["entity_type"] == filters.entity_type,
        filters.entity_id is None or each["entity_id"] == filters.entity_id,
        filters.users is None or UUID(each["user_id"]) in filters.users,
        filters.metadata is None or not filters.metadata or holds(metadata, filters.metadata),
        filters.text is None
        or {STEMS.get(word, word) for word in filters.text.split()}
        <= {STEMS.get(word, word) for word in words},
    ]
    return all(checks)


def holds(whole: Any, part: Any, *, top: bool = True) -> bool:
    """Whether metadata contains other metadata."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            k in whole and holds(whole[k], v, top=False) for k, v in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(holds(w, p, top=False) for w in whole) for p in part)
    return type(whole) is type(part) and whole == part


@pytest.fixture
def world(running: Running) -> World:
    """A pipeline without events yet."""
    return World(running)


@pytest.fixture
def query(running: Running) -> Iterator[ActivityQuery]:
    """Questions, without a cache."""
    cold = ColdSearch(running.store)
    with connect(running.settings.postgres_dsn) as connection:
        yield ActivityQuery(lambda: contextlib.nullcontext(connection), cold, Keeper())
    cold.close()


def walk(
    query: ActivityQuery, filters: Filters, limit: int, order: Order = "newest", *, most: int = 1_000
) -> list[Page]:
    """Return all pages of a question, following `next`."""
    pages = [query.get_activities(filters, None, limit, order=order)]
    while pages[-1].next is not None:
        assert len(pages) < most
        pages.append(query.get_activities(filters, pages[-1].next, limit, order=order))
    return pages


def walk_back(query: ActivityQuery, filters: Filters, page: Page, limit: int, order: Order) -> list[Page]:
    """Return the pages before one, following `previous`, in the order of the question."""
    pages: list[Page] = []
    while page.previous is not None:
        page = query.get_activities(filters, page.previous, limit, order=order)
        pages.append(page)
    return pages[::-1]


def ids(pages: list[Page]) -> list[UUID]:
    """Return the ids of events of pages."""
    return [event.id for page in pages for event in page.events]


def at(day: date, hours: float = 0) -> datetime:
    """Return an instant of a day."""
    return datetime.combine(day, datetime.min.time(), UTC) + hours * ONE_DAY / 24
