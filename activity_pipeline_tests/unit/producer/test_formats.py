"""CloudTrail records and GitHub events become events of ours; formats are told by their content."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

import pytest

from activity_pipeline.errors import ImportFileError
from activity_pipeline.events.model import FIELDS
from activity_pipeline.producer import cloudtrail, github
from activity_pipeline.producer.formats import FileFormat, detect, parse_format

CLOUDTRAIL: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/pedro",
        "accountId": "111122223333",
        "userName": "pedro",
    },
    "eventTime": "2023-07-10T12:37:50Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.1",
    "userAgent": "aws-cli/2",
    "requestParameters": {"bucketName": "b", "ratio": 1.50},
    "responseElements": None,
    "readOnly": True,
    "resources": [
        {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::b/key"},
        {"accountId": "111122223333", "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b"},
    ],
    "eventID": "B9D1F76B-e3f8-4ca6-99d0-ce6c73145069",
    "recipientAccountId": "444455556666",
}
GITHUB: dict[str, Any] = {
    "id": "2489651045",
    "type": "PullRequestEvent",
    "actor": {"id": 1, "login": "octocat", "url": "https://api.github.com/users/octocat"},
    "repo": {"id": 2, "name": "octo/repo"},
    "payload": {"action": "opened", "number": 7, "pull_request": {"title": "é"}},
    "public": True,
    "created_at": "2015-01-01T15:00:01Z",
    "org": {"id": 3, "login": "octo"},
}


def encoded(record: Any) -> bytes:
    return json.dumps(record).encode()


def cloudtrail_event(**changes: Any) -> dict[str, Any]:
    line = cloudtrail.to_event(encoded({**CLOUDTRAIL, **changes}))
    assert b"\n" not in line
    event: dict[str, Any] = json.loads(line)
    assert set(event) <= set(FIELDS)
    return event


def github_event(**changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(github.to_event(encoded({**GITHUB, **changes})))
    assert set(event) <= set(FIELDS)
    return event


def test_a_cloudtrail_record_becomes_an_event() -> None:
    arn = "arn:aws:iam::111122223333:user/pedro"
    assert cloudtrail_event() == {
        "id": "b9d1f76b-e3f8-4ca6-99d0-ce6c73145069",
        "timestamp": "2023-07-10T12:37:50Z",
        "source": "s3",
        "action": "GetObject",
        "entity_type": "AWS::S3::Object",
        "entity_id": "arn:aws:s3:::b/key",
        "user_id": str(uuid5(cloudtrail.NAMESPACE, f"user:{arn}")),
        "status": "success",
        "metadata": {
            "region": "us-east-1",
            "ip": "192.0.2.1",
            "user_agent": "aws-cli/2",
            "identity": "IAMUser",
            "principal": arn,
            "read_only": True,
            "request": {"bucketName": "b", "ratio": 1.5},
        },
    }


def test_a_failed_call_says_so() -> None:
    event = cloudtrail_event(errorCode="AccessDenied", errorMessage="no", responseElements={"a": 1})
    assert event["status"] == "failure"
    assert event["metadata"]["error"] == "AccessDenied"
    assert event["metadata"]["error_message"] == "no"
    assert event["metadata"]["response"] == {"a": 1}


def test_without_resources_the_account_is_the_entity() -> None:
    for resources in (None, [], [{"type": "AWS::S3::Object"}]):
        event = cloudtrail_event(resources=resources)
        assert (event["entity_type"], event["entity_id"]) == ("account", "444455556666")
    bare = cloudtrail_event(resources=None, recipientAccountId=None, userIdentity={"type": "AWSService"})
    assert not {"entity_type", "entity_id", "user_id"} & set(bare)


def test_ids_and_users_without_a_uuid_get_a_lasting_one() -> None:
    first, second = cloudtrail_event(eventID="no-uuid"), cloudtrail_event(eventID="no-uuid")
    assert UUID(first["id"]) == UUID(second["id"]) == uuid5(cloudtrail.NAMESPACE, "event:no-uuid")
    service = cloudtrail_event(userIdentity={"type": "AWSService", "invokedBy": "ec2.amazonaws.com"})
    assert service["user_id"] == str(uuid5(cloudtrail.NAMESPACE, "user:ec2.amazonaws.com"))


def test_a_large_request_is_left_out_and_its_size_is_told() -> None:
    metadata = cloudtrail_event(requestParameters={"blob": "x" * 30_000})["metadata"]
    assert "request" not in metadata
    assert metadata["request_omitted_bytes"] == 30_000 + len('{"blob": ""}')


@pytest.mark.parametrize("indent", [None, 2])
def test_a_log_file_is_split_into_one_line_for_each_record(indent: int | None) -> None:
    document = json.dumps({"Records": [CLOUDTRAIL, {"broken": True}]}, indent=indent).encode()
    first, second = cloudtrail.split_document(document)
    assert json.loads(first) == CLOUDTRAIL
    assert json.loads(second) == {"broken": True}
    assert b"\n" not in first + second
    with pytest.raises(ValueError, match="missing required field"):
        cloudtrail.to_event(second)


@pytest.mark.parametrize(
    "document", [b"", b"[]", b'{"Records":5}', b'{"Records":[{"a":1', b'{"Records":\n[\xff]}']
)
def test_what_is_no_log_file_is_refused(document: bytes) -> None:
    with pytest.raises(ImportFileError):
        cloudtrail.split_document(document)


def test_a_github_event_becomes_an_event() -> None:
    assert github_event() == {
        "id": str(uuid5(github.NAMESPACE, "event:2489651045")),
        "timestamp": "2015-01-01T15:00:01Z",
        "source": "github",
        "action": "PullRequestEvent.opened",
        "entity_type": "repo",
        "entity_id": "octo/repo",
        "user_id": str(uuid5(github.NAMESPACE, "user:octocat")),
        "status": "success",
        "metadata": {name: GITHUB[name] for name in ("actor", "repo", "org", "payload")},
    }


def test_a_github_event_without_action_or_organisation() -> None:
    event = github_event(type="PushEvent", payload={"size": 1}, org=None, id=2489651045)
    assert event["action"] == "PushEvent"
    assert event["id"] == github_event()["id"]


def test_a_large_payload_keeps_its_small_scalars_and_says_so() -> None:
    payload = {
        "action": "opened",
        "number": 7,
        "title": "x" * 70_000,
        "list": [1],
        "map": {"a": 1},
        "flag": True,
    }
    metadata = github_event(payload=payload)["metadata"]
    assert metadata["payload"] == {"action": "opened", "number": 7, "flag": True}
    assert metadata["payload_truncated"] is True
    assert metadata["repo"] == GITHUB["repo"]


@pytest.mark.parametrize("change", [{"actor": 5}, {"repo": {}}, {"payload": []}, {"created_at": None}])
def test_a_malformed_github_event_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Expected|missing"):
        github_event(**change)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([encoded(CLOUDTRAIL)], FileFormat.CLOUDTRAIL),
        ([b'{"Records":[]}'], FileFormat.CLOUDTRAIL),
        ([b"{", b'  "Records": ['], FileFormat.CLOUDTRAIL),
        ([encoded(GITHUB)], FileFormat.GHARCHIVE),
        ([b"{broken", encoded(GITHUB)], FileFormat.GHARCHIVE),
        ([b'{"id":"1","source":"a","action":"b"}', encoded(GITHUB)], FileFormat.NDJSON),
        ([b"{broken", b"5"], FileFormat.NDJSON),
        ([b"[" * 100_000], FileFormat.NDJSON),
        ([], FileFormat.NDJSON),
    ],
)
def test_the_format_is_told_by_the_first_record(lines: list[bytes], found: FileFormat) -> None:
    assert detect(lines) is found


def test_a_format_is_named_or_auto() -> None:
    assert parse_format("auto") is None
    assert parse_format("gharchive") is FileFormat.GHARCHIVE
    with pytest.raises(ImportFileError, match="cloudtrail"):
        parse_format("xml")
