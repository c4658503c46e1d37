"""What a function does, told from its text: which tables it writes, what it calls, what cannot be seen.

No parser of PL/pgSQL: comments and literals are told apart from code, and the statements that write
are looked for in both. What is built at run time is reported as unseen, never guessed; a person says
in the override file what it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from activity_pipeline.legacy.catalogue import Catalogue, Function

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][\w$]*)'
_PATH = rf"(?:{_NAME}\s*\.\s*)?{_NAME}"
_PIECES = re.compile(
    r"(?P<comment>--[^\n]*)"
    r"|(?P<literal>[eE]?'(?:[^'\\]|''|\\.)*')"
    r"|(?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$)"
    r"|(?P<block>/\*)",
    re.DOTALL,
)
_WRITES = re.compile(
    rf"\binsert\s+into\s+(?:only\s+)?(?P<insert>{_PATH})\s*(?P<columns>\([^()]*\))?"
    rf"|(?<!\bfor\s)(?<!\bdo\s)\bupdate\s+(?:only\s+)?(?P<update>{_PATH})(?=\s+(?:as\s+)?(?:{_NAME}\s+)?set\b)"
    rf"|\bdelete\s+from\s+(?:only\s+)?(?P<delete>{_PATH})"
    rf"|\bmerge\s+into\s+(?:only\s+)?(?P<merge>{_PATH})"
    rf"|\btruncate\s+(?:table\s+)?(?:only\s+)?(?P<truncate>{_PATH})",
    re.IGNORECASE,
)
_CALLS = re.compile(rf"({_PATH})\s*\(", re.IGNORECASE)
_EXECUTES = re.compile(r"\bexecute\b(?!\s+(?:function|procedure)\b)", re.IGNORECASE)
_CHANGES_ROW = re.compile(r"\bnew\s*\.\s*\w+\s*:?=|\binto\s+new\b|\bnew\s*:=", re.IGNORECASE)
_ACTS = {
    "notifies": re.compile(r"\b(?:pg_notify\s*\(|notify\s+\w)", re.IGNORECASE),
    "calls out": re.compile(r"\b(?:dblink\w*|http_\w+|lo_\w+)\s*\(", re.IGNORECASE),
    "raises": re.compile(r"\braise\s+(?:exception\b|sqlstate\b|')", re.IGNORECASE),
}
_COMPILED = ("c", "internal")


@dataclass(frozen=True, slots=True)
class Body:
    """What was seen in a function, and in all that it calls.

    Attributes:
        writes: Tables, schema.table, with the most columns that one insert fills; 0 where it lists none.
        calls: schema.function of those that it calls.
        acts: What else has an effect: notifies, calls out, raises.
        changes_row: Whether it sets columns of NEW.
        unseen: What cannot be seen from the text; empty where all is plain.
    """

    writes: Mapping[str, int] = field(default_factory=dict)
    calls: frozenset[str] = frozenset()
    acts: frozenset[str] = frozenset()
    changes_row: bool = False
    unseen: frozenset[str] = frozenset()

    def joined(self, other: Body) -> Body:
        """Return both together."""
        names = {*self.writes, *other.writes}
        return Body(
            {name: max(self.writes.get(name, 0), other.writes.get(name, 0)) for name in sorted(names)},
            self.calls | other.calls,
            self.acts | other.acts,
            self.changes_row or other.changes_row,
            self.unseen | other.unseen,
        )


def read_bodies(catalogue: Catalogue) -> dict[str, Body]:
    """Return what each function does together with all that it calls, by schema.function."""
    names = frozenset(function.name for function in catalogue.functions)
    own: dict[str, Body] = {}
    for function in catalogue.functions:
        seen = read_body(function, names, catalogue.relations)
        own[function.name] = own[function.name].joined(seen) if function.name in own else seen
    return {name: _with_all_called(name, own) for name in own}


def read_body(function: Function, names: frozenset[str], relations: frozenset[str]) -> Body:
    """Read one function alone.

    Args:
        function: It.
        names: schema.function of all functions.
        relations: schema.table of all tables.
    """
    if function.language in _COMPILED:
        return Body(unseen=frozenset({f"{function.name} is compiled"}))
    schema = function.name.partition(".")[0]
    code, literals = split(_inner(function.text))
    if function.language not in ("sql", "plpgsql"):
        code, literals = "", [code, *literals]
    unseen: set[str] = set()
    writes: dict[str, int] = {}
    for text, is_dynamic in [(code, False), *((literal, True) for literal in literals)]:
        for found in _WRITES.finditer(text):
            path = next(
                found[kind] for kind in ("insert", "update", "delete", "merge", "truncate") if found[kind]
            )
            table = _resolved(path, schema, relations)
            if table:
                columns = found["columns"]
                writes[table] = max(writes.get(table, 0), columns.count(",") + 1 if columns else 0)
            elif is_dynamic:
                unseen.add(f"{function.name} builds the name of a table")
    if _EXECUTES.search(code) and not any(_WRITES.search(literal) for literal in literals):
        unseen.add(f"{function.name} executes what it builds")
    if any(
        re.search(r"\b(?:insert\s+into|update|delete\s+from)\s+%", each, re.IGNORECASE) for each in literals
    ):
        unseen.add(f"{function.name} builds the name of a table")
    called = {_resolved(path, schema, names) for path in _CALLS.findall(code)}
    return Body(
        writes,
        frozenset(name for name in called if name and name != function.name),
        frozenset(name for name, pattern in _ACTS.items() if pattern.search(code)),
        bool(_CHANGES_ROW.search(code)),
        frozenset(unseen),
    )


def split(text: str) -> tuple[str, list[str]]:
    """Return code with blanks for its comments and literals, and the literals."""
    code: list[str] = []
    literals: list[str] = []
    place = 0
    while found := _PIECES.search(text, place):
        code.append(text[place : found.start()] + " ")
        place = found.end()
        if literal := found["literal"]:
            literals.append(literal.lstrip("eE")[1:-1].replace("''", "'"))
            code.append("''")
        elif quote := found["dollar"]:
            end = text.find(quote, place)
            literals.append(text[place : end if end >= 0 else len(text)])
            place = end + len(quote) if end >= 0 else len(text)
        elif found["block"]:
            place = _end_of_block(text, place)
    code.append(text[place:])
    return "".join(code), literals


def _end_of_block(text: str, place: int) -> int:
    depth = 1
    for found in re.finditer(r"/\*|\*/", text[place:]):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return place + found.end()
    return len(text)


def _inner(text: str) -> str:
    """Return the body of what pg_get_functiondef wrote; a body of plain SQL has no quotes around it."""
    found = re.search(r"^AS (\$\w*\$)(.*)\1\s*$", text, re.DOTALL | re.MULTILINE)
    if found:
        return found[2]
    start = re.search(r"^\s*(?:BEGIN ATOMIC|RETURN)\b", text, re.MULTILINE)
    return text[start.start() :] if start else text


def _resolved(path: str, schema: str, known: frozenset[str]) -> str | None:
    """Return the known name that is meant; without a schema it is looked for close by first."""
    parts = [_plain(part) for part in re.findall(_NAME, path, re.IGNORECASE)]
    if len(parts) > 1:
        name = ".".join(parts[:2])
        return name if name in known else None
    for candidate in (f"{schema}.{parts[0]}", f"public.{parts[0]}"):
        if candidate in known:
            return candidate
    others = [name for name in known if name.partition(".")[2] == parts[0]]
    return others[0] if len(others) == 1 else None


def _plain(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()


def _with_all_called(name: str, own: Mapping[str, Body]) -> Body:
    body = Body()
    for each in _reachable(name, own):
        body = body.joined(own[each])
    return body


def _reachable(name: str, own: Mapping[str, Body]) -> Iterator[str]:
    waiting, seen = [name], {name}
    while waiting:
        yield (current := waiting.pop())
        called: Iterable[str] = own[current].calls
        news = {each for each in called if each in own} - seen
        seen |= news
        waiting += sorted(news)
