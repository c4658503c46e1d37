"""Legal holds: what they cover is not erased, whoever asks, and they stay on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import UUID

import psycopg
import pytest

from activity_pipeline.archive.days import erase as erasure
from activity_pipeline.errors import HoldError
from activity_pipeline.events.days import today
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.holds import Hold, add_hold, list_holds, remove_hold, settled
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.archive.erasing import by_place, erased, receipts, sound, would_erase

USER = UUID("0198c2f0-8a5e-7cc0-b0d1-3f2a9e5b7c11")
HE = Subject.user(USER)
CONTRACT = Subject.entity("contract", "c-1")
OTHER = Subject.user(UUID(int=7))


def hold(cold: Cold, held: Subject | tuple[date, date]) -> Hold:
    return add_hold(cold.running.statements, held, reason="case 4711", by="the judge")


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("user", "nowhere"),
        ("user", "archive"),
        *((kind, place) for kind in ("entity", "days") for place in ("hot", "late", "archive", "letter")),
    ],
)
def test_what_is_held_is_not_erased(cold: Cold, place: str, kind: str) -> None:
    """A hold on him, on what his event is about, or on its day; before anything is changed."""
    day = today() if place in {"hot", "letter"} else cold.day(2)
    cold.send_hot(cold.day(5), 2, user_id=str(USER))
    cold.archive()
    about = {"user_id": str(USER), "entity_type": "contract", "entity_id": "c-1"}
    if place == "archive":
        cold.send_hot(day, 1, **about)
        cold.archive()
    elif place == "letter":
        cold.send(day, 1, **about, colour="red")
    elif place != "nowhere":
        cold.send(day, 1, **about)
    held: dict[str, Subject | tuple[date, date]] = {"user": HE, "entity": CONTRACT, "days": (day, day)}
    added = hold(cold, held[kind])
    ledger, files = cold.running.ledger(), cold.running.store.find("")
    for run in (would_erase, erased):
        with pytest.raises(HoldError, match=r"hold 1 forbids it.*by the judge: case 4711") as refused:
            run(cold.running, HE)
        assert refused.value.hold == added.id
    assert (cold.running.ledger(), cold.running.store.find("")) == (ledger, files)
    assert cold.running.count("activity_erasures") == 0
    remove_hold(cold.running.statements, added.id, reason="closed", by="the judge")
    assert sum(by_place(erased(cold.running, HE)).values()) == (2 if place == "nowhere" else 3)
    sound(cold.running)


def test_holds_that_cover_nothing_of_him(cold: Cold) -> None:
    cold.send_hot(cold.day(2), 2, user_id=str(USER))
    cold.send(cold.day(2), 2, user_id=None, entity_type="contract", entity_id="c-1")
    cold.archive()
    cold.send(today(), 2, user_id=str(USER), entity_type="contract", entity_id="c-2")
    for held in (OTHER, CONTRACT, (cold.day(9), cold.day(3))):
        hold(cold, held)
    assert by_place(erased(cold.running, HE)) == {"hot": 2, "archive": 2}
    sound(cold.running)


@pytest.mark.parametrize("step", ["retire_days", "rewrite"])
def test_a_hold_that_comes_meanwhile_stops_what_is_left(
    cold: Cold, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the rows are deleted, and before the manifest is published."""
    cold.send_hot(cold.day(2), 2, user_id=str(USER))
    cold.archive()
    cold.send(today(), 3, user_id=str(USER))
    original: Callable[..., object] = getattr(erasure, step)

    def and_then_held(*arguments: object, **options: object) -> object:
        result = original(*arguments, **options)
        hold(cold, HE)
        return result

    monkeypatch.setattr(erasure, step, and_then_held)
    with pytest.raises(HoldError, match="have changed meanwhile"):
        erased(cold.running, HE)
    monkeypatch.undo()
    assert cold.running.ledger().hot == (3 if step == "retire_days" else 0)
    assert receipts(cold.running) == []
    sound(cold.running)
    with pytest.raises(HoldError, match="case 4711"):
        erased(cold.running, HE)
    remove_hold(cold.running.statements, 1, reason="closed", by="the judge")
    assert by_place(erased(cold.running, HE)) == {"hot": 3, "archive": 2}
    (receipt,) = receipts(cold.running)
    assert sum(each.rows for each in receipt.taken) == 5
    sound(cold.running)


def test_a_row_that_comes_meanwhile_on_a_held_day(cold: Cold, monkeypatch: pytest.MonkeyPatch) -> None:
    cold.send_hot(cold.day(2), 2, user_id=str(USER))
    cold.archive()
    hold(cold, (today(), today()))

    def more(*_: object) -> None:
        cold.send(today(), 1, user_id=str(USER))

    monkeypatch.setattr(erasure, "retire_days", more)
    with pytest.raises(HoldError, match="case 4711"):
        erased(cold.running, HE)
    assert (cold.running.ledger().hot, cold.running.ledger().erased) == (1, 0)
    sound(cold.running)


def test_a_new_hold_waits_for_what_is_being_erased(cold: Cold) -> None:
    statements = cold.running.statements
    with connect(cold.running.settings.postgres_dsn) as other:
        other.execute("set lock_timeout = '50ms'")
        with settled(statements, []):
            assert list_holds(other) == []
            with pytest.raises(psycopg.errors.LockNotAvailable):
                add_hold(other, HE, reason="case 4711", by="the judge")
