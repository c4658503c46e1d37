"""A day leaves Postgres only through the gate; whatever stops it there, both copies are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from activity_pipeline.archive import retire_days
from activity_pipeline.errors import ActivityError, ArchiveError, GateError, ManifestError, StoreBusyError
from activity_pipeline.hot import chain
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import connect
from activity_pipeline_tests.integration.archive.conftest import Cold


def tamper_row(cold: Cold) -> None:
    cold.running.statements.execute(
        "update activity_logs_current set action = action || ' ' "
        "where id = (select id from activity_logs_current limit 1)"
    )


def remove_row(cold: Cold) -> None:
    cold.running.statements.execute(
        "delete from activity_logs_current where id = (select id from activity_logs_current limit 1)"
    )


def data_file(cold: Cold) -> Path:
    return next(Path(cold.running.store.root).glob("events/*/*.parquet"))


def flip_byte(cold: Cold) -> None:
    content = bytearray(data_file(cold).read_bytes())
    content[len(content) // 2] ^= 1
    data_file(cold).write_bytes(content)


def remove_file(cold: Cold) -> None:
    data_file(cold).unlink()


def forge_manifest(cold: Cold) -> None:
    path = next(Path(cold.running.store.root).glob("manifests/*"))
    manifest = json.loads(path.read_bytes())
    manifest["days"][0]["files"][0]["row_count"] += 1
    path.write_text(json.dumps(manifest))


def remove_manifest(cold: Cold) -> None:
    next(Path(cold.running.store.root).glob("manifests/*")).unlink()


@pytest.mark.parametrize(
    ("tamper", "error"),
    [
        (tamper_row, GateError),
        (remove_row, GateError),
        (flip_byte, ArchiveError),
        (remove_file, ArchiveError),
        (forge_manifest, GateError),
        (remove_manifest, ArchiveError),
    ],
    ids=lambda case: case.__name__,
)
def test_the_gate_keeps_both_copies(
    cold: Cold, tamper: Callable[[Cold], None], error: type[ActivityError]
) -> None:
    day = cold.day(1)
    cold.send_hot(day)
    cold.export()
    tamper(cold)
    rows = cold.running.count("activity_logs_current")
    with pytest.raises(error):
        retire_days(cold.running.statements, cold.running.store, [day])
    assert cold.running.states()[day] == "exported"
    assert cold.running.count("activity_logs_current") == rows


def test_the_gate_before_publishing(cold: Cold, monkeypatch: pytest.MonkeyPatch) -> None:
    day = cold.day(1)
    ids = cold.send_hot(day)
    honest = hot.held_of

    def changed(*arguments: object) -> object:
        held = honest(*arguments)  # type: ignore[arg-type]
        return {
            day: replace(each, content=replace(each.content, rows=each.content.rows + 1))
            for day, each in held.items()
        }

    with monkeypatch.context() as patched:
        patched.setattr(hot, "held_of", changed)
        with pytest.raises(GateError) as caught:
            cold.export()
    assert caught.value.day == day  # type: ignore[attr-defined]
    assert cold.running.store.list("manifests") == []
    assert cold.running.states()[day] == "frozen"
    cold.archive()
    cold.check(ids)


def test_a_manifest_that_is_none(cold: Cold) -> None:
    day = cold.day(1)
    cold.send_hot(day)
    cold.archive()
    path = Path(cold.running.store.root) / "manifests" / f"{day}.1.json"
    path.write_text("{}")
    cold.send(day, 1)
    with pytest.raises(ManifestError, match="is not a manifest"):
        cold.archive()
    path.rename(path.with_name("readme.txt"))
    with pytest.raises(ManifestError, match="is not named as a manifest is"):
        cold.stored()


def test_one_export_at_a_time(cold: Cold) -> None:
    cold.send_hot(cold.day(1))
    with connect(cold.running.settings.postgres_dsn) as other:
        assert chain.try_lock(other)
        with pytest.raises(ArchiveError, match="another operation on the archive is under way"):
            cold.archive()
        chain.unlock(other)
    assert len(cold.archive()) == 1


def test_a_long_query_keeps_a_day_but_not_forever(cold: Cold) -> None:
    ids = cold.send_hot(cold.day(1))
    cold.export()
    (day,) = hot.list_days(cold.running.statements)
    manifest = cold.newest(day.day)
    retirement = hot.Retirement(
        day.day, day.generation, manifest.added(), manifest.row_count, manifest.size_bytes
    )
    with connect(cold.running.settings.postgres_dsn) as reader, reader.transaction():
        reader.execute("select count(*) from activity_logs_current")
        pid = reader.info.backend_pid
        with pytest.raises(StoreBusyError, match=rf"held by session {pid} \(activity_pipeline, idle in"):
            hot.retire(cold.running.statements, [retirement], lock_timeout_s=0.1)
    ids += cold.send(cold.day(-1))
    cold.check([*ids, *ids[:10]])  # both copies are there
    assert hot.retire(cold.running.statements, [retirement]) == [day.day]
    assert hot.retire(cold.running.statements, [retirement]) == []
    cold.check(ids)
