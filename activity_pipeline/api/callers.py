"""Who calls: a key, or somebody on this machine where the servers are the embedded ones.

A key comes in a header, or in the cookie of the monitor page. A browser sends a cookie, and what it sends
to this machine it sends from anybody's page: so whoever changes something from a browser says by a
header of the page's own that it is the page. Another origin may not send that one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from activity_pipeline.api.keys import STALE_S
from activity_pipeline.api.problems import refusal
from activity_pipeline.hot.api_keys import SCOPES, ApiKey, Scope

if TYPE_CHECKING:
    from activity_pipeline.api.backends import Backends

LOOPBACK = "loopback"
COOKIE = "activity_key"
PAGE_HEADER = "x-activity-page"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")

_bearer = HTTPBearer(
    scheme_name="key",
    description="`Authorization: Bearer act_…`, a key of `activity-pipeline keys create`",
    auto_error=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and what of.

    Attributes:
        name: Public prefix of the key, or `loopback`.
        label: The key's name.
        scopes: What he may do.
        sources: The only sources whose events concern him; None for all.
        user_id: The only user whose events concern him; None for all.
    """

    name: str
    label: str
    scopes: frozenset[Scope]
    sources: frozenset[str] | None = None
    user_id: UUID | None = None

    @property
    def is_restricted(self) -> bool:
        """Whether some events are none of his business."""
        return self.sources is not None or self.user_id is not None

    def require_everything(self) -> None:
        """Refuse a restricted key what is about all events."""
        if self.is_restricted:
            raise refusal("not-allowed", "This is about all events, and the key is restricted to some.")

    def require_all_users(self) -> None:
        """Refuse a key of one user what is counted over all of them."""
        if self.user_id is not None:
            raise refusal("not-allowed", "This counts all users, and the key is restricted to one.")


ANYBODY_HERE = Caller(name=LOOPBACK, label=LOOPBACK, scopes=frozenset(SCOPES))


def caller_of(key: ApiKey) -> Caller:
    """Return who calls by a key."""
    scopes = frozenset(SCOPES if "admin" in key.scopes else key.scopes)
    sources = None if key.sources is None else frozenset(key.sources)
    return Caller(name=key.prefix, label=key.name, scopes=scopes, sources=sources, user_id=key.user_id)


def backends_of(request: Request) -> Backends:
    """Return what requests share."""
    backends: Backends = request.app.state.backends
    return backends


def _requiring(scope: Scope) -> Callable[..., Coroutine[Any, Any, Caller]]:
    async def identify(
        request: Request, presented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Caller:
        backends = backends_of(request)
        local = backends.settings.api_keyless and is_local(request)
        cookie = None if local else request.cookies.get(COOKIE)
        if "authorization" in request.headers or cookie is not None:
            if "authorization" not in request.headers:
                require_page(request)
                text = cookie or ""
            else:
                text = presented.credentials if presented else ""
            key = await find_key(backends, text)
            caller = caller_of(key)
            if wait_s := backends.buckets.take(key.prefix, key.requests_per_s, key.burst):
                after = str(max(1, round(wait_s + 0.5)))
                detail = f"The key may send {key.requests_per_s:g} requests a second, {key.burst} at once."
                raise refusal("too-many-requests", detail, {"retry-after": after})
        elif local:
            if "origin" in request.headers:
                require_page(request)
            caller = ANYBODY_HERE
        else:
            raise _key_required("A key is needed: Authorization: Bearer act_…")
        request.scope["state"]["caller"] = caller
        if scope not in caller.scopes:
            raise refusal("not-allowed", f"The key's scopes do not include {scope}.")
        return caller

    return identify


def require_page(request: Request) -> None:
    """Refuse a browser's request that changes something and does not say that the page sent it.

    Raises:
        RequestError: The header is missing.
    """
    if request.method not in _SAFE_METHODS and PAGE_HEADER not in request.headers:
        raise refusal("not-allowed", f"A browser changes something only with the header {PAGE_HEADER}.")


async def find_key(backends: Backends, text: str) -> ApiKey:
    """Return the key that opens.

    Raises:
        RequestError: There is none, or keys cannot be looked up now.
    """
    ring = backends.keys
    if not ring.knows(text) or ring.age_s > STALE_S:
        await backends.read_keys()
    if ring.age_s > STALE_S:
        raise refusal("unavailable", "Keys cannot be looked up now.", {"retry-after": "5"})
    if (key := ring.find(text)) is None:
        raise _key_required("The key is not known, has expired or was revoked.")
    return key


def _key_required(detail: str) -> Exception:
    return refusal("key-required", detail, {"www-authenticate": "Bearer"})


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine and not through a proxy, nor from a page of elsewhere.

    A browser on this machine sends what any page tells it to. So the host must be one of this machine's
    names, which no name of elsewhere that was made to point here is, and so must the origin.
    """
    headers = request.headers
    if request.client is None or not _is_loopback(request.client.host):
        return False
    if any(name in headers for name in _FORWARDED):
        return False
    origin = headers.get("origin")
    names = [_host(f"//{headers.get('host', '')}"), *([_host(origin)] if origin is not None else [])]
    return all(name == "localhost" or _is_loopback(name) for name in names)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


Reader = Annotated[Caller, Depends(_requiring("read"))]
"""A route's parameter: whoever may read."""

Writer = Annotated[Caller, Depends(_requiring("write"))]
"""A route's parameter: whoever may log events."""

Admin = Annotated[Caller, Depends(_requiring("admin"))]
"""A route's parameter: whoever may do everything."""
