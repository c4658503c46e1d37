"""Whom a line is about, also where it never became an event."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.events.frame import salvage
from activity_pipeline.events.subject import Subject

USER = UUID("0198c2f0-8a5e-7cc0-b0d1-3f2a9e5b7c11")
ORDER = Subject.entity("order", "4ü")


def _line(**fields: object) -> bytes:
    return json.dumps({"source": "s", "action": "a", **fields}).encode()


@pytest.mark.parametrize(
    ("line", "is_his"),
    [
        (_line(user_id=str(USER)), True),
        (_line(userId=str(USER).upper()), True),
        (_line(user_id=USER.hex), True),
        (_line(user_id=f" {{{USER}}}"), True),
        (_line(user_id=None, userId=str(USER)), True),
        (_line(usr=str(USER)), True),
        (f'{{"user_id":"{USER}","user_id":null}}'.encode(), True),
        (_line(entity_id=str(USER)), False),
        (_line(metadata={"by": str(USER)}), False),
        (_line(user_id=str(UUID(int=1))), False),
        (f'{{"source":"s","user_id":"{USER}'.encode(), True),
        (f'[{{"user_id":"{USER}"}}]'.encode(), True),
        (b'{"user_id":"\xff' + USER.bytes, True),
        (b"[" * 100_000 + str(USER).encode(), True),
        (b'{"id":' + b"9" * 5000 + f',"user_id":"{USER}"}}'.encode(), True),
        (b"", False),
        (b"{}", False),
    ],
)
def test_a_user(line: bytes, is_his: bool) -> None:
    assert Subject.user(USER).is_of_line(line) == is_his


@pytest.mark.parametrize(
    ("line", "is_its"),
    [
        (_line(entity_type="order", entity_id="4ü"), True),
        (_line(entityType="order", entityId="4ü"), True),
        (_line(entity_type="order", entity="4ü"), True),
        (_line(entity_type="invoice", entity_id="4ü"), False),
        (_line(entity_type="order", entity_id="4ü5"), False),
        (_line(entity_type="4ü", entity_id="order"), False),
        (_line(user_id="4ü", entity_type="order"), False),
        ('{"entity_type":"order","entity_id":"4ü'.encode(), True),
        (b'{"entity_type":"order","entity_id":"4\\u00fc', True),
        ("order\\n4ü".encode(), True),
        (b'{"entity_type":"order","entity_id":"44', False),
        ('{"entity_type":"border","entity_id":"4ü'.encode(), False),
    ],
)
def test_an_entity(line: bytes, is_its: bool) -> None:
    assert ORDER.is_of_line(line) == is_its


def test_a_number_that_should_have_been_text() -> None:
    assert Subject.entity("order", "42").is_of_line(_line(entity_type="order", entity_id=42))


def test_an_entity_without_a_name_is_found_in_no_text() -> None:
    assert not Subject.entity("", "").is_in(b"anything")
    assert Subject.entity("", "").is_of_line(_line(entity_type="", entity_id=""))


def test_a_proof_is_for_those_who_know_the_subject() -> None:
    """The recipe as the docstring tells it, so that another program can follow it."""
    import hashlib

    text = 'salt\n["user","0198c2f0-8a5e-7cc0-b0d1-3f2a9e5b7c11"]'
    assert Subject.user(USER).proof("salt") == hashlib.sha256(text.encode()).hexdigest()
    text = 'salt\n["entity","order","4\\u00fc"]'
    assert ORDER.proof("salt") == hashlib.sha256(text.encode()).hexdigest()
    assert ORDER.proof("salt") != ORDER.proof("pepper")


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(line: bytes) -> None:
    for subject in (Subject.user(USER), ORDER):
        assert subject.is_of_line(line) in (True, False)
        assert subject.is_of_line(line + b" " + str(USER).encode() + b" order 4\xc3\xbc ") in (True, False)


@given(st.binary(max_size=100), st.integers(0, 3), st.integers(0, 20))
def test_what_can_be_read_of_a_refused_body(text: bytes, frames: int, cut: int) -> None:
    body = b"".join(zstandard.compress(text) for _ in range(frames))
    assert salvage(body) == (text * frames, True)
    if frames and 0 < cut <= len(body) // frames - len(zstandard.FRAME_HEADER):
        read, is_whole = salvage(body[:-cut])
        assert (text * frames).startswith(read)
        assert not is_whole
