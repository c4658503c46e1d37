"""What an object store answers, in one line that holds no secret."""

from __future__ import annotations

import re
from collections.abc import Collection

LENGTH = 300
BODY = re.compile(r"<\?xml.*|<Error>.*|\n\nDebug source.*", re.DOTALL)
CODE = re.compile(r"<Code>([^<]{1,80})</Code>")
QUERY = re.compile(r"\?[^\s()\"']*")
USER = re.compile(r"//[^/@\s]+@")
REQUEST = re.compile(
    r".*Error performing ([A-Z]+) (\S+) in \S+( after \d+ retries)?.*? - (?:.*status code: )?(.*)"
)
QUOTED = re.compile(r"^\w*Error: (.*)$", re.MULTILINE)


def brief(error: BaseException, secrets: Collection[str] = ()) -> str:
    """Return what went wrong, without the body of the answer.

    A store that refuses a signature shows what was signed, which names the session's token, and a
    signed URL carries its signature: bodies, queries and users of URLs are left out.

    Args:
        error: Raised by obstore.
        secrets: Left out wherever they may turn up.
    """
    said = str(error)
    text = " ".join(USER.sub("//", QUERY.sub("", BODY.sub("", said))).split()).rstrip(" :")
    if request := REQUEST.fullmatch(text):
        method, url, retries, answer = request.groups()
        text = f"{method} {url}: {answer}{retries or ''}"
    if code := CODE.search(said):
        text = f"{text} ({code[1]})"
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text[:LENGTH]


def quoted(error: BaseException) -> str:
    """Return what a DuckDB error says; of a Python traceback that it quotes, the error alone."""
    said = str(error)
    found = QUOTED.findall(said) if said.startswith("Traceback") else []
    return found[-1] if found else said
