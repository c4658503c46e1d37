"""The monitor page: files of this package that a browser loads as they are, over the API and nothing else.

Static ES modules, HTML and CSS: no build step, no framework, nothing from elsewhere; charts are SVG that
small modules here draw. What was weighed against it is NiceGUI, whose assets come in a wheel too:

- it keeps each tab's state on the server: one process, or websockets that stick to one; the API has
  several workers, and whatever a tab knows is in the tab;
- it compiles templates in the browser, which needs `unsafe-eval`; here the policy is `default-src 'self'`;
- a tab of it holds more memory than the 150 MB that this page has for a million events;
- each thing that a person does here is one call of the documented API, so that whatever the page can do,
  a script can.

    static/index.html   the shell; everything else is made by its modules
    static/lib/         what all pages need: elements, requests, routes, times, keys
    static/charts/      bars with a brush, lines with a band, heat maps, rankings
    static/activity/    the list of events and what surrounds it
    static/pages/       metrics, anomalies, archive, health, sign-in
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: nothing from elsewhere, nothing inline."""

# What the machine's own tables say of these differs.
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_SHELL = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that a browser loads.

    Attributes:
        content: Its bytes.
        media_type: What they are.
    """

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Page:
    """The page of this release.

    Attributes:
        version: Of its files' content; in their addresses, so that a browser may keep them for ever.
        shell: The HTML, with those addresses.
        assets: The other files, by path.
    """

    version: str
    shell: bytes
    assets: dict[str, Asset]


@cache
def load_page() -> Page:
    """Read the files, once a process: no request names a path on the disk."""
    assets = {
        path.relative_to(FOLDER).as_posix(): Asset(path.read_bytes(), _media_type(path))
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and path.name != _SHELL
    }
    digest = hashlib.sha256()
    for name, asset in assets.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(asset.content).digest())
    version = digest.hexdigest()[:12]
    shell = (FOLDER / _SHELL).read_bytes().replace(b"{version}", version.encode())
    return Page(version, shell, assets)


def _media_type(path: Path) -> str:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
