"""Uploads in parts that nobody finished: invisible to readers, and paid for until they are aborted.

The client that uploads cannot list them, so two requests of S3's API are signed here (Signature
Version 4, https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html), with the
credentials of the environment. Where those are not there, or the store refuses, the uploads stay:
a lifecycle rule (AbortIncompleteMultipartUpload) does the same in the store.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import requests

FOLDERS = ("events/", "results/")
"""Where files are large enough for parts; whatever else shares the bucket is left alone."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
TIMEOUT_S = 10.0
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An upload in parts: the object's key, the upload's id, and when it began."""

    key: str
    upload_id: str
    initiated: datetime


@dataclass(frozen=True, slots=True)
class UnfinishedUploads:
    """The uploads below a prefix of a bucket; none where the store is not S3 or has no key here.

    Attributes:
        prefix: Of all keys, with a slash at its end where it is not empty.
        url: Of the bucket; empty where nothing can be asked.
        region: That requests are signed for.
        key_id: Id of the access key.
        secret: The secret access key.
        token: Of a session; empty for a lasting key.
    """

    prefix: str
    url: str = ""
    region: str = ""
    key_id: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, root: str, environment: Mapping[str, str]) -> UnfinishedUploads:
        """Take what is needed from the environment of a store at a URL."""
        parts = urlsplit(root)
        prefix = f"{parts.path.strip('/')}/".lstrip("/")
        key_id, secret = (
            environment.get(f"AWS_{name}", "") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
        )
        hosted = environment.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() in {"1", "true"}
        if parts.scheme not in {"s3", "s3a"} or hosted or not (key_id and secret):
            return cls(prefix)
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = next(filter(None, map(environment.get, ENDPOINTS)), f"https://s3.{region}.amazonaws.com")
        url = f"{endpoint.rstrip('/')}/{parts.netloc}"
        return cls(prefix, url, region, key_id, secret, environment.get("AWS_SESSION_TOKEN", ""))

    def abort(self, path: str) -> list[str]:
        """Abort every upload of a file; its only writer has given up."""
        return self._abort(self.prefix + path, before=None)

    def abort_older(self, folder: str, grace_s: float) -> list[str]:
        """Abort uploads below a folder that began longer ago, in seconds; return the paths of their files."""
        return self._abort(self.prefix + folder, before=datetime.now(UTC) - timedelta(seconds=grace_s))

    def _abort(self, prefix: str, before: datetime | None) -> list[str]:
        if not self.url:
            return []
        aborted = []
        try:
            for upload in list(self._list(prefix)):
                path = upload.key.removeprefix(self.prefix)
                old = upload.key == prefix if before is None else upload.initiated <= before
                if old and path.startswith(FOLDERS):
                    self._ask("DELETE", quote(upload.key, safe="/-_.~"), {"uploadId": upload.upload_id})
                    aborted.append(path)
        except (requests.RequestException, ET.ParseError, ValueError) as error:
            # Text of the client's errors holds URLs, and of the store's perhaps what was signed.
            status = getattr(getattr(error, "response", None), "status_code", None)
            answer = f"HTTP {status}" if status else type(error).__name__
            logger.warning("unfinished uploads of the archive stay for now: the store answers %s", answer)
        return aborted

    def _list(self, prefix: str) -> Iterator[Unfinished]:
        query = {"prefix": prefix, "uploads": ""}
        while True:
            page = ET.fromstring(self._ask("GET", "", query))  # noqa: S314 the archive's own store, over TLS
            space = page.tag.partition("}")[0] + "}" if page.tag.startswith("{") else ""

            def text(element: ET.Element, name: str, space: str = space) -> str:
                return element.findtext(f"{space}{name}") or ""

            for upload in page.iter(f"{space}Upload"):
                began = datetime.fromisoformat(text(upload, "Initiated"))
                yield Unfinished(text(upload, "Key"), text(upload, "UploadId"), began)
            if text(page, "IsTruncated") != "true":
                return
            query["key-marker"] = text(page, "NextKeyMarker")
            query["upload-id-marker"] = text(page, "NextUploadIdMarker")

    def _ask(self, method: str, key: str, query: Mapping[str, str]) -> bytes:
        """Send a signed request without a body; return the answer's."""
        address = urlsplit(self.url)
        path = f"{address.path}/{key}" if key else address.path
        asked = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in sorted(query.items()))
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        headers = {"host": address.netloc, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": now}
        if self.token:
            headers["x-amz-security-token"] = self.token
        signed = ";".join(headers)
        canonical = "\n".join(
            [method, path, asked, *(f"{n}:{v}" for n, v in headers.items()), "", signed, EMPTY_SHA256]
        )
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signing = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            signing = hmac.digest(signing, part.encode(), "sha256")
        signature = hmac.digest(signing, to_sign.encode(), "sha256").hex()
        credential = f"Credential={self.key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 {credential}"
        url = f"{address.scheme}://{address.netloc}{path}?{asked}"
        # With `auth` given, no .netrc takes the place of the signature.
        answer = requests.request(
            method, url, headers=headers, auth=lambda it: it, timeout=TIMEOUT_S, allow_redirects=False
        )
        answer.raise_for_status()
        return answer.content
