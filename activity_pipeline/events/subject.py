"""Whom or what events are about, and how to tell from bytes that never became an event."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from activity_pipeline.events.model import ALIASES, FIELDS

Kind = Literal["user", "entity"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A user, or an entity; made by `user` or `entity`.

    Attributes:
        user_id: The user.
        entity_type: Kind of the entity.
        entity_id: The entity.
    """

    user_id: UUID | None = None
    entity_type: str | None = None
    entity_id: str | None = None

    @classmethod
    def user(cls, user_id: UUID) -> Subject:
        """Return the user of events."""
        return cls(user_id=user_id)

    @classmethod
    def entity(cls, entity_type: str, entity_id: str) -> Subject:
        """Return the entity of events."""
        return cls(entity_type=entity_type, entity_id=entity_id)

    @property
    def kind(self) -> Kind:
        """Which of the two it is."""
        return "entity" if self.user_id is None else "user"

    def proof(self, salt: str) -> str:
        r"""Return what tells the subject to those alone who know it.

        SHA-256, hexadecimal, of the salt, a newline, and the subject as JSON without white space:
        `["user","<uuid>"]` or `["entity","<type>","<id>"]`, in UTF-8 with \u escapes for what is not ASCII.
        """
        named = [self.entity_type, self.entity_id] if self.user_id is None else [str(self.user_id)]
        text = json.dumps([self.kind, *named], separators=(",", ":"))
        return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()

    def is_of_line(self, line: bytes) -> bool:
        """Whether a line, good or refused, is about the subject.

        In a JSON object its own fields decide, under both names, and those that no event has: one may
        be its name misspelt. In anything else it is enough that the subject is found (`is_in`).
        """
        try:
            pairs = json.loads(line, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            return self.is_in(line)
        if not isinstance(pairs, _Pairs):
            return self.is_in(line)
        if self.user_id is not None:
            return any(self.user_id.hex in _bare(text) for text in _texts(pairs, "user_id"))
        return self.entity_type in _texts(pairs, "entity_type") and self.entity_id in _texts(
            pairs, "entity_id"
        )

    def is_in(self, text: bytes) -> bool:
        """Whether bytes hold the subject: a user in any spelling, an entity's type and id as words."""
        if self.user_id is not None:
            return self.user_id.bytes in text or self.user_id.hex.encode() in _bare_bytes(text)
        words = [word for word in (self.entity_type, self.entity_id) if word]
        return bool(self.entity_id) and all(_word(word).search(text) for word in words)


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written: json would keep the last of a name's values alone."""


def _texts(pairs: _Pairs, field: str) -> set[str]:
    """Return the values of a field under any of its names, and of fields that are none, as texts."""
    names = [(ALIASES.get(name, name), value) for name, value in pairs]
    return {
        str(value)
        for name, value in names
        if (name == field or name not in FIELDS) and isinstance(value, str | int | float)
    }


def _bare(text: str) -> str:
    """Write a UUID as its digits, whatever it was dressed in."""
    return re.sub(r"[-{}\s]", "", text).lower()


def _bare_bytes(text: bytes) -> bytes:
    return text.replace(b"-", b"").lower()


def _word(word: str) -> re.Pattern[bytes]:
    """Return a pattern of a word as JSON has it, plain or escaped, with no letter or digit beside it."""
    spellings = {word.encode(errors="surrogatepass"), json.dumps(word)[1:-1].encode()}
    either = b"|".join(re.escape(spelling) for spelling in sorted(spellings))
    # The letter before it may end an escape: \n is no n.
    return re.compile(rb"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt]))(?:" + either + rb")(?![0-9A-Za-z])")
