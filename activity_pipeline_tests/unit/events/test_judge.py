"""A line becomes an event exactly as it was sent, or is refused for one reason of the closed set."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activity_pipeline.events.judge import EVENT_SCHEMA, judge
from activity_pipeline.events.model import (
    ALIASES,
    FIELDS,
    MAX_CHARACTERS,
    REASON_TEXT,
    DeadLetterReason,
    Rules,
)
from activity_pipeline_tests.lines import BROKEN_ENTRIES, BROKEN_LINES, REFUSED_BY_POSTGRES, RULES

NOW = datetime.now(UTC)
RECEIVED_AT = datetime(2026, 3, 1, 12, 30, 0, 123000, UTC)


def judged(
    *lines: str, rules: Rules = RULES, shard: int = 0, entry_id: str = "1-0", now: datetime = NOW
) -> list[dict[str, Any] | str]:
    """Return an event or a reason for each line, having checked that it is one of both."""
    table = pa.table(
        {
            "line": pa.array(lines, pa.string()),
            "received_at": pa.array([RECEIVED_AT] * len(lines), pa.timestamp("us", tz="UTC")),
            "entry_id": pa.array([entry_id] * len(lines), pa.string()),
            "line_number": pa.array(range(len(lines)), pa.int32()),
        }
    )
    verdicts = judge(table, rules, shard=shard, now=now)
    assert verdicts.events.schema.equals(EVENT_SCHEMA)
    positions = [*verdicts.event_positions.to_pylist(), *verdicts.refused_positions.to_pylist()]
    assert sorted(positions) == list(range(len(lines)))
    assert set(verdicts.refused_reasons.to_pylist()) <= {reason.value for reason in DeadLetterReason}
    answers = [*verdicts.events.to_pylist(), *verdicts.refused_reasons.to_pylist()]
    return [answer for _, answer in sorted(zip(positions, answers, strict=True), key=lambda pair: pair[0])]


def one(line: str | dict[str, Any], **options: Any) -> dict[str, Any] | str:
    (answer,) = judged(line if isinstance(line, str) else json.dumps(line), **options)
    return answer


def good(line: str | dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = one(line, **options)
    assert isinstance(answer, dict), answer
    return answer


def event(**fields: Any) -> dict[str, Any]:
    return {"source": "s", "action": "a", **fields}


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.one_of(
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
instants = st.datetimes(
    datetime(2000, 1, 2), datetime(2025, 12, 31), timezones=st.integers(-1439, 1439).map(
        lambda minutes: timezone(timedelta(minutes=minutes))
    )
)  # fmt: skip
good_events = st.fixed_dictionaries(
    {"source": texts.filter(bool).map(lambda t: t[:64]), "action": texts.filter(bool).map(lambda t: t[:128])},
    optional={
        "id": st.uuids().map(str),
        "timestamp": instants.map(datetime.isoformat),
        "entity_type": st.one_of(st.none(), texts.map(lambda t: t[:64])),
        "entity_id": st.one_of(st.none(), texts.map(lambda t: t[:512])),
        "user_id": st.one_of(st.none(), st.uuids().map(str)),
        "status": st.sampled_from(RULES.allowed_statuses),
        "metadata": st.one_of(st.none(), st.dictionaries(texts, json_values, max_size=4)),
    },
)


@settings(max_examples=50)
@given(
    sent=st.lists(good_events, max_size=5),
    ascii_only=st.booleans(),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\r", "\t: ")]),
)
def test_a_good_event_is_kept_exactly(
    sent: list[dict[str, Any]], ascii_only: bool, separators: tuple[str, str]
) -> None:
    lines = [json.dumps(one, ensure_ascii=ascii_only, separators=separators) for one in sent]
    for fields, kept in zip(sent, judged(*lines), strict=True):
        assert isinstance(kept, dict), kept
        for name in ("source", "action", "entity_type", "entity_id"):
            assert kept[name] == fields.get(name)
        assert kept["status"] == fields.get("status", "success")
        if "id" in fields:
            assert kept["id"] == uuid.UUID(fields["id"])
        assert kept["user_id"] == (uuid.UUID(fields["user_id"]) if fields.get("user_id") else None)
        expected = datetime.fromisoformat(fields["timestamp"]) if "timestamp" in fields else RECEIVED_AT
        assert kept["timestamp"] == expected
        sent_metadata = fields.get("metadata")
        if sent_metadata is None:
            assert kept["metadata"] is None
        else:
            # Numbers are compared by their text: a float would hide what was rounded.
            assert exact(kept["metadata"]) == exact(json.dumps(sent_metadata))


def exact(text: str) -> Any:
    return json.loads(text, parse_float=str)


def test_numbers_keep_every_digit() -> None:
    numbers = ["1.10", "0.1234567890123456789012", "1e5", "-0.0", "123456789012345678901234567890", "1E-7"]
    forms = ['{"n":%s}', '{ "n" : %s }', '{"a":{"n":[%s,"x"]}}', '{"a": {"n":[%s ]}}']
    sent = [form % number for number in numbers for form in forms]
    for name in ("metadata", "details"):
        answers = judged(*(f'{{"source":"s","action":"a","{name}":{text}}}' for text in sent))
        for text, kept in zip(sent, answers, strict=True):
            assert isinstance(kept, dict)
            assert exact(kept["metadata"]) == exact(text)


@settings(max_examples=50)
@given(lines=st.lists(st.one_of(texts, json_values.map(json.dumps)), max_size=6))
@example(lines=["", " ", "{", "\ufeff{}", '{"source":"s","action":"a"}\r'])
def test_any_line_has_one_verdict(lines: list[str]) -> None:
    judged(*lines)


odd_values = st.one_of(
    json_values, st.sampled_from(["", "\0", "2026-03-01T00:00:00Z", str(uuid.UUID(int=1))])
)
odd_events = st.dictionaries(
    st.one_of(st.sampled_from([*FIELDS, *ALIASES]), st.sampled_from(["Source", "x.y", "$", ""])), odd_values
)


@settings(max_examples=50)
@given(events=st.lists(odd_events, max_size=4), cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_any_mutilated_event_has_one_verdict(events: list[dict[str, Any]], cut: int, flip: int) -> None:
    whole = [json.dumps(one) for one in events]
    flipped = [
        text[:flip] + chr(ord(text[flip]) ^ 1) + text[flip + 1 :] for text in whole if flip < len(text)
    ]
    judged(*whole, *(text[:cut] for text in whole), *flipped)


@settings(max_examples=30)
@given(raw=st.lists(st.binary(max_size=60), max_size=4))
def test_any_text_that_was_bytes_has_one_verdict(raw: list[bytes]) -> None:
    judged(*(line.decode(errors="replace") for line in raw))


def test_no_lines_have_no_verdicts() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (reason, line)
        for reason, lines in BROKEN_LINES.items()
        if reason not in {DeadLetterReason.NOT_UTF8, *REFUSED_BY_POSTGRES}
        for line in lines
    ],
    ids=lambda case: case.decode(errors="replace")[:40] if isinstance(case, bytes) else case,
)
def test_each_reason(reason: DeadLetterReason, line: bytes) -> None:
    assert one(line.decode()) == reason


def test_every_reason_has_a_case_and_a_sentence() -> None:
    assert {*BROKEN_LINES, *BROKEN_ENTRIES} == set(DeadLetterReason)
    assert set(REASON_TEXT) == set(DeadLetterReason)
    assert all(BROKEN_LINES.values())
    assert all(BROKEN_ENTRIES.values())


def test_a_broken_line_does_not_harm_its_neighbours() -> None:
    broken = [line.decode() for lines in BROKEN_LINES.values() for line in lines if is_utf8(line)]
    fine = json.dumps(event())
    answers = judged(*(line for pair in zip(broken, [fine] * len(broken), strict=True) for line in pair))
    assert all(isinstance(answer, dict) for answer in answers[1::2])


def is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("field", MAX_CHARACTERS)
@pytest.mark.parametrize("character", ["x", "ä", "😀", "\u0301", "\x7f", "\n"])
def test_the_longest_text_of_each_field(field: str, character: str) -> None:
    longest = character * MAX_CHARACTERS[field]
    assert good(event(**{field: longest}), rules=Rules())[field] == longest
    assert one(event(**{field: longest + character}), rules=Rules()) == "text_length"


@pytest.mark.parametrize("field", ["entity_type", "entity_id"])
def test_an_empty_text_is_not_an_absent_one(field: str) -> None:
    assert good(event(**{field: ""}))[field] == ""
    assert good(event(**{field: None}))[field] is None
    assert good(event())[field] is None


def test_the_largest_metadata() -> None:
    rules = Rules(max_metadata_bytes=100)
    fits = {"a": "é" * 46}
    assert len(msgspec.json.encode(fits)) == 100
    assert good(event(metadata=fits), rules=rules)["metadata"] == msgspec.json.encode(fits).decode()
    assert one(event(metadata={"a": "é" * 46 + "x"}), rules=rules) == "metadata_too_large"


def test_the_names_of_the_old_producers() -> None:
    user = str(uuid.uuid4())
    kept = good(event(entityType="t", entityId="i", userId=user, details={"a": 1}))
    assert (kept["entity_type"], kept["entity_id"], kept["user_id"]) == ("t", "i", uuid.UUID(user))
    assert kept["metadata"] == '{"a":1}'
    assert good(event(details=None))["metadata"] is None
    for old, new in ALIASES.items():
        assert one(event(**{old: None, new: None})) == "repeated_field"


def test_an_event_without_id_and_timestamp_gets_those_of_its_place() -> None:
    first, second = judged(json.dumps(event()), json.dumps(event()))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first == good(event())
    others = [second, good(event(), shard=1), good(event(), entry_id="1-1")]
    assert len({first["id"], *(other["id"] for other in others)}) == 4
    assert (first["id"].version, first["id"].variant) == (8, uuid.RFC_4122)
    assert first["timestamp"] == RECEIVED_AT


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01t10:00:00z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 10:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.5Z", datetime(2026, 3, 1, 10, 0, 0, 500000, UTC)),
        ("2026-03-01T10:00:00.123456Z", datetime(2026, 3, 1, 10, 0, 0, 123456, UTC)),
        ("2026-03-01T10:00:00.999999999Z", datetime(2026, 3, 1, 10, 0, 0, 999999, UTC)),
        ("2026-03-01T10:00:00+05:30", datetime(2026, 3, 1, 4, 30, tzinfo=UTC)),
        ("2026-03-01T10:00:00-0800", datetime(2026, 3, 1, 18, tzinfo=UTC)),
        ("2026-03-01T00:30:00+01", datetime(2026, 2, 28, 23, 30, tzinfo=UTC)),
    ],
)
def test_instants(text: str, instant: datetime) -> None:
    assert good(event(timestamp=text))["timestamp"] == instant


def test_the_edges_of_time() -> None:
    rules = Rules(max_ahead_hours=1.5, first_day="2026-01-01")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    latest, step = now + timedelta(hours=1.5), timedelta(microseconds=1)
    for instant, expected in (
        (latest, None),
        (latest + step, "timestamp_ahead"),
        (datetime(2026, 1, 1, tzinfo=UTC), None),
        (datetime(2026, 1, 1, tzinfo=UTC) - step, "timestamp_too_old"),
    ):
        answer = one(event(timestamp=instant.isoformat()), rules=rules, now=now)
        assert (answer if isinstance(answer, str) else None) == expected


def test_allow_lists() -> None:
    rules = Rules(allowed_sources=("web", "it's"), allowed_statuses=("ok",))
    assert good(event(source="it's", status="ok"), rules=rules)
    assert one(event(source="Web", status="ok"), rules=rules) == "not_allowed"
    assert one(event(source="web"), rules=rules) == "not_allowed"
    assert good(event(source="anything", status="whatever"), rules=Rules())


@pytest.mark.parametrize("text", ["\\u0000", '"\\\\u0000"', "\\\\u0000\\\\\\\\"])
def test_a_backslash_before_u0000_is_not_a_nul(text: str) -> None:
    assert json.loads(good(event(metadata={"a": text}))["metadata"]) == {"a": text}
