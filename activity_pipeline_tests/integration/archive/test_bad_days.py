"""A day that fails is named, and keeps no other day back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from activity_pipeline.archive import export_days, retire_days
from activity_pipeline.archive.chain.audit import verify_beside
from activity_pipeline.archive.days.compare import compare_exported
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError, BadDaysError, GateError
from activity_pipeline.hot import days as hot
from activity_pipeline_tests.integration.archive.conftest import Cold


@pytest.fixture
def days(cold: Cold) -> list[date]:
    """Five days with events, ready for the archive, in order."""
    days = [cold.day(back) for back in range(5, 0, -1)]
    for day in days:
        cold.send_hot(day, 4)
    return days


def differ(patched: pytest.MonkeyPatch, *bad: date) -> None:
    """Let Postgres count a row more on some days."""
    honest = hot.held_of

    def held_of(*arguments: object) -> object:
        held = honest(*arguments)  # type: ignore[arg-type]
        return {
            day: replace(each, content=replace(each.content, rows=each.content.rows + (day in bad)))
            for day, each in held.items()
        }

    patched.setattr(hot, "held_of", held_of)


def change(cold: Cold, day: date) -> None:
    """Change what Postgres holds of a day."""
    cold.running.statements.execute(
        "update activity_logs_current set action = action || ' ' "
        "where (timestamp at time zone 'UTC')::date = %s",
        [day],
    )


def test_the_other_days_of_a_step_are_archived(
    cold: Cold, days: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        differ(patched, days[1])
        with pytest.raises(GateError) as caught:
            cold.archive()
    assert caught.value.day == days[1]  # type: ignore[attr-defined]
    assert cold.running.states() == dict.fromkeys(days, "archived") | {days[1]: "frozen"}
    assert cold.running.ledger().residual == 0
    beside = verify_beside(cold.running.statements, cold.running.store, (), deep=True)
    assert (beside.faults, beside.days) == ([], 4), "the file of the bad day is on its way"
    assert [archived.day for archived in cold.archive()] == [days[1]]
    assert set(cold.running.states().values()) == {"archived"}
    assert len(cold.chain()) == 5


def test_all_bad_days_are_named(cold: Cold, days: list[date], monkeypatch: pytest.MonkeyPatch) -> None:
    differ(monkeypatch, days[0], days[3])
    with pytest.raises(BadDaysError) as caught:
        list(export_days(cold.running.statements, cold.running.bulk, cold.running.store, days))
    assert set(caught.value.errors) == {days[0], days[3]}
    assert str(caught.value).startswith(f"2 days failed: {days[0]}: Postgres holds 5 events")
    assert f"; {days[3]}: Postgres holds" in str(caught.value)
    good = set(days) - set(caught.value.errors)
    assert {day for day, state in cold.running.states().items() if state == "exported"} == good


def test_all_days_bad_publish_nothing(cold: Cold, days: list[date], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        differ(patched, *days)
        with pytest.raises(BadDaysError):
            cold.archive()
    assert cold.running.store.list("manifests") == []
    cold.archive()
    assert set(cold.running.states().values()) == {"archived"}


def test_a_day_that_fails_at_the_last_gate_keeps_no_other_in_postgres(cold: Cold, days: list[date]) -> None:
    cold.export()
    change(cold, days[2])
    change(cold, days[4])
    with pytest.raises(BadDaysError) as caught:
        retire_days(cold.running.statements, cold.running.store, days)
    assert set(caught.value.errors) == {days[2], days[4]}
    exported = {day for day, state in cold.running.states().items() if state == "exported"}
    assert exported == {days[2], days[4]}
    assert cold.running.count("activity_logs_current") == 8


def test_a_manifest_and_a_file_that_are_gone_keep_no_other_back(cold: Cold, days: list[date]) -> None:
    root = Path(cold.running.store.root)
    cold.export()
    (root / f"manifests/{days[0]}.1.json").unlink()
    (root / f"events/date={days[1]}/part-1.parquet").unlink()
    with pytest.raises(BadDaysError) as caught:
        retire_days(cold.running.statements, cold.running.store, days)
    assert set(caught.value.errors) == set(days[:2])
    assert [cold.running.states()[day] for day in days] == ["exported"] * 2 + ["archived"] * 3


def test_older_files_that_are_gone_keep_no_other_back(cold: Cold, days: list[date]) -> None:
    cold.archive()
    cold.send(days[0], 2)
    cold.send(days[1], 2)
    (Path(cold.running.store.root) / f"events/date={days[0]}/part-1.parquet").unlink()
    with pytest.raises(ArchiveError, match=r"the archive cannot be read: .*part-1\.parquet"):
        cold.archive()
    assert [cold.running.states()[day] for day in days[:2]] == ["frozen", "archived"]
    assert cold.newest(days[1]).generation == 2


def test_a_store_that_does_not_answer_is_no_days_own_fault(
    cold: Cold, days: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    cold.export()
    asked: list[str] = []

    def read(_: ArchiveStore, path: str) -> bytes:
        asked.append(path)
        raise ArchiveError(f"the archive cannot read {path}") from TimeoutError()

    monkeypatch.setattr(ArchiveStore, "read", read)
    with pytest.raises(ArchiveError, match="cannot read"):
        retire_days(cold.running.statements, cold.running.store, days)
    assert len(asked) == 2
    assert set(cold.running.states().values()) == {"exported"}


def test_what_is_in_both_is_compared(cold: Cold, days: list[date]) -> None:
    running = cold.running
    cold.export()
    found = compare_exported(running.statements, running.store)
    assert (found.days, found.rows, found.faults) == (5, 20, [])
    change(cold, days[0])
    file = Path(running.store.root) / f"events/date={days[1]}/part-1.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    (Path(running.store.root) / f"manifests/{days[2]}.1.json").write_text("{}")
    faults = {fault.path: fault.what for fault in compare_exported(running.statements, running.store).faults}
    assert set(faults) == {
        f"manifests/{days[0]}.1.json",
        f"events/date={days[1]}/part-1.parquet",
        f"manifests/{days[2]}.1.json",
    }
    assert faults[f"manifests/{days[0]}.1.json"].startswith(f"{days[0]}: Postgres holds 4 events")
    assert "SHA-256" in faults[f"events/date={days[1]}/part-1.parquet"]


def test_a_file_that_can_be_read_and_is_another_days_is_found(cold: Cold, days: list[date]) -> None:
    cold.export()
    root = Path(cold.running.store.root)
    mine, other = (root / f"events/date={day}/part-1.parquet" for day in days[3:])
    mine.write_bytes(other.read_bytes())
    (fault,) = compare_exported(cold.running.statements, cold.running.store).faults
    assert fault.path == f"events/date={days[3]}/part-1.parquet"
    assert "than its manifest says" in fault.what or "bytes, not" in fault.what


def test_an_older_copy_of_the_archive_is_found_beside_its_database(cold: Cold, days: list[date]) -> None:
    running = cold.running
    assert verify_beside(running.statements, running.store, ()).faults == []
    cold.archive(days[:3])
    head = Path(running.store.root) / "head.json"
    before = head.read_bytes()
    cold.archive()
    for path in (f"manifests/{days[4]}.1.json", f"events/date={days[4]}/part-1.parquet"):
        (Path(running.store.root) / path).unlink()
    head.write_bytes(before)
    (fault,) = verify_beside(running.statements, running.store, ()).faults
    assert fault.path == "head.json"
    assert "the head that was noted" in fault.what


def test_only_the_files_of_some_days(cold: Cold, days: list[date]) -> None:
    running = cold.running
    cold.archive()
    for day in days[:2]:
        file = Path(running.store.root) / f"events/date={day}/part-1.parquet"
        file.write_bytes(b"nothing")
    found = verify_beside(running.statements, running.store, (), only={days[1], days[2]})
    assert (found.days, found.files) == (2, 2)
    assert [fault.path for fault in found.faults] == [f"events/date={days[1]}/part-1.parquet"]
