"""Answers that are found once for all who ask."""

from __future__ import annotations

import asyncio

import pytest

from activity_pipeline.api.memo import Memo


class Question:
    """Something that takes until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.go.wait()
        if number == 1:
            raise LookupError
        return number


def test_all_who_ask_at_once_share_one_answer_and_a_failure_is_not_kept() -> None:
    async def ask() -> None:
        memo, question = Memo(), Question()
        waiting = [asyncio.create_task(memo.get("a", 60, question)) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # whoever leaves does not take it from the others
        question.go.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in outcomes] == [asyncio.CancelledError, *[LookupError] * 4]
        assert [await memo.get("a", 60, question) for _ in range(3)] == [2, 2, 2]
        assert await memo.get("b", 60, question) == 3
        assert await memo.get("c", 0, question) == 4
        assert await memo.get("c", 0, question) == 5

    asyncio.run(ask())


def test_a_failure_that_nobody_waits_for_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        memo, question = Memo(), Question()
        waiting = asyncio.create_task(memo.get("a", 60, question))
        await asyncio.sleep(0)
        waiting.cancel()
        question.go.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.01)

    asyncio.run(ask())
    assert caplog.text == ""
