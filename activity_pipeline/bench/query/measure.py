"""Questions over hot and cold while events come in, and the same of the legacy table."""

from __future__ import annotations

import contextlib
import http.client
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from activity_pipeline.archive.analyst.search import ColdSearch
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.latency import follower
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.query.clients import ask_for
from activity_pipeline.bench.query.data import COLD_DAYS, SQL, Data, open_data
from activity_pipeline.bench.query.incoming import INGEST_PER_S, events_coming_in
from activity_pipeline.bench.query.page import measure_page
from activity_pipeline.bench.query.serving import serving
from activity_pipeline.bench.turns import Say
from activity_pipeline.errors import ActivityError
from activity_pipeline.events.days import ONE_DAY, span_of
from activity_pipeline.events.filters import Filters
from activity_pipeline.hot.connection import connect, reading_pool
from activity_pipeline.query import ActivityQuery
from activity_pipeline.query.keeping import Keeper

MS = "ms"
FEW_CLIENTS, CLIENTS, MANY_CLIENTS = 2, 8, 64
PAGE = 50
LATE_PAGE = 1_000
Ask = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        folder: Where the data is kept; None for a folder that is gone afterwards.
        hot_rows: Rows of 30 hot days.
        open_rows: Rows of the open day among them.
        cold_rows: Rows of the archive.
        seconds: How long each question is asked, in seconds.
    """

    folder: Path | None
    hot_rows: int
    open_rows: int
    cold_rows: int
    seconds: float


def measure_query(plan: Plan, *, say: Say) -> Report:
    """Measure on servers of their own."""
    with contextlib.ExitStack() as stack:
        folder = plan.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="activity-bench-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        data = stack.enter_context(open_data(folder, plan.hot_rows, plan.open_rows, plan.cold_rows, say))
        stack.enter_context(follower(data.stack.redis_url, data.dsn))
        stack.enter_context(events_coming_in(data.stack.redis_url, folder / "spool"))
        bench = stack.enter_context(_opened(data, plan.seconds, say))
        figures = [*bench.hot(), *bench.late_page(), *bench.cold_histories(), *bench.over_http()]
        machine = describe(postgres_dsn=data.stack.postgres_dsn, redis_url=data.stack.redis_url)
    sizes = {
        "hot rows": plan.hot_rows,
        "of the open day": plan.open_rows,
        "cold rows": plan.cold_rows,
        "events/s come in": INGEST_PER_S,
    }
    return Report(machine, sizes, figures, {})


@contextlib.contextmanager
def _opened(data: Data, seconds: float, say: Say) -> Iterator[Bench]:
    with (
        contextlib.closing(ColdSearch(data.store)) as cold,
        reading_pool(data.dsn, size=16, statement_timeout_s=30, wait_s=60) as pool,
        connect(data.dsn) as connection,
    ):
        window = {"since": data.since, "until": span_of([data.day])[0]}
        samples = connection.execute(SQL["samples"], window).fetchall()
        yield Bench(data, ActivityQuery(pool.connection, cold, Keeper()), samples, seconds, say)


@dataclass
class Bench:
    """What is measured.

    Attributes:
        data: The events.
        query: Questions, without a cache.
        samples: User, entity type, entity id, address and number of some events.
        seconds: How long each question is asked.
        say: Told how it goes.
    """

    data: Data
    query: ActivityQuery
    samples: list[Any]
    seconds: float
    say: Say

    def questions(self) -> dict[str, Callable[[int], Filters]]:
        """Return the questions, each filter alone and four usual pairs."""
        hot = Filters(since=self.data.since)

        def sample(number: int) -> Any:
            return self.samples[number % len(self.samples)]

        def user(number: int) -> Filters:
            return replace(hot, users=(sample(number)[0],))

        def entity(number: int) -> Filters:
            return replace(hot, entity_type=sample(number)[1], entity_id=sample(number)[2])

        return {
            "no filter": lambda _: hot,
            "source": lambda _: replace(hot, sources=("auth",)),
            "action": lambda _: replace(hot, actions=("refund",)),
            "action prefix": lambda _: replace(hot, action_prefix="mail."),
            "actions": lambda _: replace(hot, actions=("refund", "login")),
            "status": lambda _: replace(hot, statuses=("failed",)),
            "entity": entity,
            "user": user,
            "text": lambda number: replace(hot, text=f"item {sample(number)[4]}"),
            "metadata": lambda number: replace(hot, metadata={"ip": sample(number)[3]}),
            "user, status": lambda number: replace(user(number), statuses=("failed",)),
            "source, action": lambda _: replace(hot, sources=("auth",), actions=("refund",)),
            "entity, action": lambda number: replace(entity(number), actions=("order.paid",)),
            "source, text": lambda number: replace(hot, sources=("shop",), text=f"item {sample(number)[4]}"),
        }

    def hot(self) -> Iterator[Figure]:
        """Ask each question for its first page."""
        questions = self.questions()
        end = span_of([self.data.day])[0]
        for name, filters in questions.items():
            waits = ask_for(self.seconds, CLIENTS, lambda n: self.page(filters(n)))  # noqa: B023
            yield Figure(f"{name}, p95", waits.quantile_ms(0.95), MS, 20, "at most")
            yield Figure(f"{name}, p99", waits.quantile_ms(0.99), MS, 100, "at most")
            sealed = ask_for(
                self.seconds,
                CLIENTS,
                lambda n: self.page(replace(filters(n), until=end)),  # noqa: B023
            )
            yield Figure(f"{name}, sealed days alone, p95", sealed.quantile_ms(0.95), MS)
            self.say(
                f"{name}: p95 {waits.quantile_ms(0.95):.1f} ms, sealed {sealed.quantile_ms(0.95):.1f} ms"
            )
        every = list(questions.values())
        many = ask_for(3 * self.seconds, MANY_CLIENTS, lambda n: self.page(every[n % len(every)](n)))
        yield Figure(f"all in turn, {MANY_CLIENTS} clients, p95", many.quantile_ms(0.95), MS)
        yield Figure(f"all in turn, {MANY_CLIENTS} clients, answers", many.per_s, "1/s")

    def page(self, filters: Filters, cursor: str | None = None) -> object:
        """Ask for a page."""
        return self.query.get_activities(filters, cursor, PAGE)

    def late_page(self) -> Iterator[Figure]:
        """Page 1,000 beside page 1, here and in the legacy table."""
        for name, filters in {
            "no filter": Filters(since=self.data.since),
            "source": Filters(since=self.data.since, sources=("auth",)),
        }.items():
            cursor = None
            for _ in range(LATE_PAGE * PAGE // 1000):
                cursor = self.query.get_activities(filters, cursor, 1000).next or cursor
            first = ask_for(self.seconds, 1, lambda _: self.page(filters))  # noqa: B023
            late = ask_for(self.seconds, 1, lambda _: self.page(filters, cursor))  # noqa: B023
            old = self.legacy(filters, LATE_PAGE * PAGE)
            old_first = self.legacy(filters, 0)
            self.say(f"page {LATE_PAGE}, {name}: {late.quantile_ms(0.5):.1f} ms, legacy {old:.1f} ms")
            yield Figure(f"{name}, page {LATE_PAGE:,}", late.quantile_ms(0.5), MS)
            ratio = late.quantile_ms(0.5) / first.quantile_ms(0.5)
            yield Figure(f"{name}, page {LATE_PAGE:,} / page 1", ratio, "x", 1.5, "at most")
            yield Figure(f"{name}, legacy page {LATE_PAGE:,}", old, MS)
            yield Figure(f"{name}, page {LATE_PAGE:,}, legacy / ours", old / late.quantile_ms(0.5), "x", 10)
            yield Figure(f"{name}, page 1, legacy / ours", old_first / first.quantile_ms(0.5), "x")

    def legacy(self, filters: Filters, offset: int) -> float:
        """Return how long the legacy table takes for a page, in ms."""
        asked: dict[str, Any] = dict.fromkeys(("action", "status", "entity_id", "user", "text", "metadata"))
        asked |= {"since": filters.since, "source": filters.sources[0] if filters.sources else None}
        with connect(self.data.dsn) as connection:

            def ask(_: int) -> object:
                return connection.execute(
                    SQL["legacy_page"], {**asked, "offset": offset}, prepare=False
                ).fetchall()

            return ask_for(self.seconds, 1, ask).quantile_ms(0.5)

    def cold_histories(self) -> Iterator[Figure]:
        """One user's and one entity's history over the archived year."""
        start, end = self.data.since - COLD_DAYS * ONE_DAY, self.data.since
        questions = self.questions()
        for name in ("user", "entity"):
            filters = questions[name]
            waits = ask_for(
                5 * self.seconds,
                1,
                lambda n: self.page(replace(filters(n), since=start, until=end)),  # noqa: B023
            )
            self.say(f"cold {name}: p95 {waits.quantile_ms(0.95):.0f} ms")
            yield Figure(f"cold, one {name}'s history, p50", waits.quantile_ms(0.5), MS)
            yield Figure(f"cold, one {name}'s history, p95", waits.quantile_ms(0.95), MS, 500, "at most")

    def over_http(self) -> Iterator[Figure]:
        """The API: the same question again and again, a new one each time, and the page."""
        until = span_of([self.data.day])[0].isoformat()
        since = (self.data.since + timedelta(days=1)).isoformat()
        with serving(self.data) as port, contextlib.ExitStack() as clients:
            local = threading.local()

            def get(**asked: object) -> None:
                if not hasattr(local, "client"):
                    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                    local.client = clients.enter_context(contextlib.closing(client))
                query = urlencode({"since": since, "until": until, "limit": PAGE, **asked})
                local.client.request("GET", f"/api/v1/activities?{query}")
                answer = local.client.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise ActivityError(f"the API answers {answer.status}: {body[:200]!r}")

            get(source="auth")
            few = ask_for(4 * self.seconds, FEW_CLIENTS, lambda _: get(source="auth"))
            many = ask_for(4 * self.seconds, CLIENTS, lambda _: get(source="auth"))
            fresh = ask_for(
                4 * self.seconds,
                FEW_CLIENTS,
                lambda n: get(user_id=self.samples[n % len(self.samples)][0], limit=1 + n % 1000),
            )
            page = list(measure_page(f"http://127.0.0.1:{port}", self.say))
        yield Figure(f"HTTP, cached, {FEW_CLIENTS} clients, p50", few.quantile_ms(0.5), MS)
        yield Figure(f"HTTP, cached, {FEW_CLIENTS} clients, p95", few.quantile_ms(0.95), MS, 5, "at most")
        yield Figure(f"HTTP, cached, {CLIENTS} clients, p95", many.quantile_ms(0.95), MS)
        yield Figure(f"HTTP, cached, {CLIENTS} clients, requests", many.per_s, "1/s", 500)
        yield Figure("HTTP, uncached, p50", fresh.quantile_ms(0.5), MS)
        yield Figure("HTTP, uncached, p95", fresh.quantile_ms(0.95), MS, 50, "at most")
        yield from page
