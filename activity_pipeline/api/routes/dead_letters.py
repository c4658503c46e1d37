"""Dead letters: what was refused, why, and stored after all."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from activity_pipeline.api.administration import administration, note_change
from activity_pipeline.api.callers import Admin, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.ranges import checked
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import DayRange, Parameters
from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.events.model import DeadLetterReason, explain
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.dead_letters import DeadLetter, Selection, count_by_reason, read_dead_letters
from activity_pipeline.ingest.replay import ReplayConfig, ReplayReport, replay_stored
from activity_pipeline.ingest.reporting import report_new_rows
from activity_pipeline.settings import Settings

router = APIRouter(prefix=f"{ROOT}/dead-letters", tags=["dead letters"])
START_BYTES = 120
MOST_BYTES = 64 * 1024
MOST_IDS = 10_000
_HIGHEST = 2**63 - 1


class LettersQuery(DayRange):
    """Which dead letters, and how many."""

    reason: DeadLetterReason | None = Field(default=None, description="Only for this reason")
    state: Literal["open", "replayed", "erased"] = Field(default="open", description="What became of them")
    limit: int = Field(default=100, ge=1, le=1000, description="Letters at the most, newest first")


class Replay(BaseModel):
    """Which open dead letters; all of them where nothing is named."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[int, Field(ge=0, le=_HIGHEST)]] | None = Field(
        default=None, min_length=1, max_length=MOST_IDS, description="By number"
    )
    reasons: list[DeadLetterReason] | None = Field(default=None, min_length=1, description="By reason")


class LetterModel(BaseModel):
    """A dead letter."""

    id: int
    received_at: datetime
    reason: str
    why: str = Field(description="The reason in words")
    producer_id: str
    event_count: int
    state: str
    replayed_at: datetime | None
    size_bytes: int
    line: str = Field(
        description=f"Its bytes as text: the first {START_BYTES} in a list, {MOST_BYTES:,} alone"
    )


class ReasonModel(BaseModel):
    """Dead letters of one reason."""

    reason: str
    why: str
    letters: int
    events: int
    first_at: datetime
    last_at: datetime


class LettersModel(BaseModel):
    """Dead letters, newest first, and how many there are by reason."""

    items: list[LetterModel]
    reasons: list[ReasonModel]


class ReplayModel(BaseModel):
    """What a replay did."""

    replayed: int = Field(description="Letters closed")
    inserted: int = Field(description="New events")
    duplicate: int = Field(description="Events stored before")
    new_dead_letters: int = Field(description="Lines of opened entries that became letters of their own")
    refused: dict[int, str] = Field(description="Why each of the others stays open, by number")
    not_open: list[int] = Field(description="Numbers that are unknown, closed, or being replayed")
    reported: bool = Field(description="Whether Dagster was told of the days that changed")


@router.get("")
async def list_letters(
    request: Request, caller: Admin, query: Annotated[LettersQuery, Query()]
) -> LettersModel:
    """List dead letters with the start of each: it may hold anything, so this is for administrators."""
    caller.require_everything()
    selection = Selection(
        reasons=[query.reason] if query.reason else None,
        days=checked(query) if query.first or query.last else None,
        state=query.state,
    )
    settings = backends_of(request).settings
    return await administration(request).run(lambda: _list(settings, selection, query.limit))


@router.get("/{letter_id}")
async def get_letter(
    request: Request,
    caller: Admin,
    letter_id: Annotated[int, Field(ge=0, le=_HIGHEST)],
    _: Annotated[Parameters, Query()],
) -> LetterModel:
    """Show one dead letter with its bytes."""
    caller.require_everything()
    settings = backends_of(request).settings
    letter = await administration(request).run(lambda: _find(settings, letter_id))
    if letter is None:
        raise refusal("not-found", "There is no such dead letter.")
    return letter


@router.post("/replay", responses={409: {}})
async def replay_letters(request: Request, caller: Admin, body: Replay) -> ReplayModel:
    """Judge open dead letters by today's rules and store those that pass; the others stay open.

    An event keeps its id and timestamp; one that was sent without gets those that it would have been given.
    """
    caller.require_everything()
    backends = backends_of(request)
    selection = Selection(ids=body.ids, reasons=body.reasons)
    replayed = await administration(request).run(lambda: _replay(backends.settings, selection))
    note_change(backends, caller, "dead_letters_replayed", replayed=replayed.replayed)
    return replayed


def _list(settings: Settings, selection: Selection, limit: int) -> LettersModel:
    with connect(settings.postgres_dsn) as statements:
        counts = count_by_reason(statements, selection)
        found = list(read_dead_letters(statements, selection, limit=limit, line_bytes=START_BYTES))
    return LettersModel(
        items=[_model(letter) for letter in found],
        reasons=[ReasonModel(**row, why=explain(row["reason"])) for row in counts],
    )


def _find(settings: Settings, letter_id: int) -> LetterModel | None:
    with connect(settings.postgres_dsn) as statements:
        selection = Selection(ids=[letter_id], state=None)
        found = list(read_dead_letters(statements, selection, line_bytes=MOST_BYTES))
    return _model(found[0]) if found else None


def _model(letter: DeadLetter) -> LetterModel:
    return LetterModel(
        id=letter.id,
        received_at=letter.received_at,
        reason=letter.reason,
        why=explain(letter.reason),
        producer_id=letter.producer_id,
        event_count=letter.event_count,
        state=letter.state,
        replayed_at=letter.replayed_at,
        size_bytes=letter.size_bytes,
        line=letter.line.decode(errors="backslashreplace"),
    )


def _replay(settings: Settings, selection: Selection) -> ReplayModel:
    known = KnownEvents(ArchiveStore(settings.archive_root))
    report = replay_stored(ReplayConfig.of(settings), selection, known)
    return _replayed(report, reported=not report.new_rows or report_new_rows(settings, report.new_rows))


def _replayed(report: ReplayReport, *, reported: bool) -> ReplayModel:
    return ReplayModel(
        replayed=report.replayed,
        inserted=sum(report.inserted.values()),
        duplicate=sum(report.duplicate.values()),
        new_dead_letters=report.new_letters,
        refused=report.refused,
        not_open=report.not_open,
        reported=reported,
    )
