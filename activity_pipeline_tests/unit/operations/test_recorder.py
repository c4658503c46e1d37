"""What a block records, whatever becomes of it."""

from __future__ import annotations

import os
import threading

import pytest

from activity_pipeline.operations import RECORDER, Recorder, measured
from activity_pipeline.operations import recorder as recorders


def test_a_block_is_counted_with_what_it_says_of_itself() -> None:
    own = Recorder()
    with measured("drain", recorder=own) as call:
        call.items = 7
    (histogram,) = own.totals().values()
    assert (histogram.count, histogram.failures, histogram.items) == (1, 0, 7)
    assert 0 < histogram.longest_s < 1


def test_a_step_counts_as_many_calls_of_an_equal_share() -> None:
    own = Recorder()
    with measured("export", times=4, recorder=own) as call:
        call.failures = 1
    histogram = own.totals()["export"]
    assert (histogram.count, histogram.failures) == (4, 1)
    assert histogram.seconds == pytest.approx(4 * histogram.longest_s)


def test_an_error_is_counted_and_goes_on_its_way() -> None:
    own = Recorder()
    with pytest.raises(ValueError, match="as it was"), measured("gate", times=3, recorder=own):
        raise ValueError("as it was")
    assert (own.totals()["gate"].count, own.totals()["gate"].failures) == (3, 3)


def test_nothing_done_is_nothing_counted_but_a_failure_is() -> None:
    own = Recorder()
    with measured("drain", recorder=own) as call:
        call.times = 0
    assert own.totals() == {}
    with pytest.raises(OSError, match="gone"), measured("drain", recorder=own) as call:
        call.times = 0
        raise OSError("gone")
    assert own.totals()["drain"].failures == 1


def test_pending_is_taken_once_and_can_be_given_back() -> None:
    own = Recorder()
    own.observe("seal", 0.5)
    pending = own.take_pending()
    assert own.take_pending() == {}
    own.observe("seal", 0.5)
    own.give_back(pending)
    assert sum(histogram.count for histogram in own.take_pending().values()) == 2
    assert own.totals()["seal"].count == 2


def test_what_nobody_writes_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Recorder()
    for hour in range(recorders.MOST_PENDING + 50):
        monkeypatch.setattr("time.time", lambda hour=hour: hour * 3600.0)
        own.observe("drain", 0.1)
    pending = own.take_pending()
    assert len(pending) == recorders.MOST_PENDING
    assert min(pending)[0] == 50, "the oldest go first"
    assert own.dropped == 50


def test_threads_share_one() -> None:
    own = Recorder()

    def observe() -> None:
        for _ in range(1000):
            own.observe("query", 0.01)

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert own.totals()["query"].count == 4000


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_anew_even_where_the_parent_was_counting() -> None:
    RECORDER.observe("drain", 0.1)
    with RECORDER._lock:
        child = os.fork()
        if not child:
            totals = RECORDER.totals()
            RECORDER.observe("drain", 0.1)
            os._exit(0 if not totals and RECORDER.totals()["drain"].count == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert RECORDER.totals()["drain"].count >= 1
