"""Alerts against a real HTTP sink and a real mail server on the loopback."""

from __future__ import annotations

import io
import logging
from email.header import decode_header, make_header

import apprise.plugins.slack
import pytest

from activity_pipeline.alerts import Alert, channels_of, deliver, send
from activity_pipeline.errors import AlertError
from activity_pipeline_tests.sinks import CLOSED, Mailbox, Webhook, text_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*")

ALERT = Alert("Run of drain failed", "Postgres does not answer", "critical")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"


def test_a_webhook_gets_the_alert_as_json(sink: Webhook) -> None:
    assert send(ALERT, [sink.url]) == 1
    (posted,) = sink.taken
    assert (posted["title"], posted["message"], posted["type"]) == (ALERT.title, ALERT.body, "failure")


def test_a_mail_arrives(mailbox: Mailbox) -> None:
    assert send(ALERT, [mailbox.url]) == 1
    (mail,) = mailbox.taken
    assert str(make_header(decode_header(mail["Subject"]))) == ALERT.title
    assert mail["To"] == "ops@example.org"
    assert ALERT.body in text_of(mail)


def test_slack_gets_its_own_format(sink: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise.plugins.slack.NotifySlack, "webhook_url", sink.url)
    assert [reply.channel for reply in deliver([(channel, ALERT) for channel in channels_of([SLACK])])] == [
        "1 Slack"
    ]
    (posted,) = sink.taken
    assert posted["channel"] == "#ops"
    (attachment,) = posted["attachments"]
    assert (attachment["title"], attachment["text"]) == (ALERT.title, ALERT.body)
    assert sink.asked == ["/hook/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"]


def test_one_channel_that_takes_it_is_enough(sink: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "activity_pipeline"):
        assert send(ALERT, [f"{CLOSED}?token=secret", sink.url]) == 1
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("activity_pipeline")]
    assert len(ours) == 1
    assert ours[0].startswith("channel 1 webhook did not take the alert 'Run of drain failed': ")


def test_no_channel_that_takes_it_is_an_error(sink: Webhook) -> None:
    sink.refusals = 1
    with pytest.raises(AlertError, match="none of 2 channels"):
        send(ALERT, [sink.url, "nonsense://x"])
    assert len(sink.asked) == 1


def test_nobody_to_tell_is_no_error() -> None:
    assert send(ALERT, []) == 0


def test_why_a_channel_took_nothing_without_its_secrets(
    sink: Webhook, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not caplog: pytest listens to loggers that hand nothing on as well.
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    monkeypatch.setattr(apprise.plugins.slack.NotifySlack, "webhook_url", sink.url)
    sink.refusals, mailbox.refusals = 2, 1
    urls = [f"{sink.url}/topsecret?token=topsecret", SLACK, mailbox.url, "nonsense://topsecret"]
    try:
        replies = deliver([(channel, ALERT) for channel in channels_of(urls)])
        logging.getLogger("activity_pipeline").error("heard")
    finally:
        logging.getLogger().removeHandler(handler)
    assert [reply.channel for reply in replies] == ["1 webhook", "2 Slack", "3 E-Mail", "4 unknown"]
    assert not any(reply.taken for reply in replies)
    assert "503" in replies[0].said
    assert all(reply.said for reply in replies)
    told = repr(replies) + repr(channels_of(urls)) + log.getvalue()
    assert "heard" in told
    assert not any(part in told for part in ("topsecret", "TIiajkdnlazkcOXrIdevi7FQ", "A1BRTD4JD"))


def test_a_channel_that_hangs_holds_up_no_other(sink: Webhook, other_sink: Webhook) -> None:
    sink.go_on.clear()
    other_sink.on_taken = sink.go_on.set
    replies = deliver([(channel, ALERT) for channel in channels_of([sink.url, other_sink.url])])
    assert [reply.taken for reply in replies] == [True, True], "the first went on when the second had its own"
