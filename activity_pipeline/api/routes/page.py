"""The monitor page and its files; see activity_pipeline/api/page."""

from __future__ import annotations

from fastapi import APIRouter, Response

from activity_pipeline.api.page import POLICY, load_page
from activity_pipeline.api.problems import refusal

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_page() -> Response:
    """Answer with the shell: what it shows it asks the API for, which asks who wants to know."""
    return Response(
        load_page().shell,
        media_type="text/html; charset=utf-8",
        headers={"content-security-policy": POLICY, "cache-control": "no-cache"},
    )


@router.get("/assets/{version}/{path:path}")
async def get_asset(version: str, path: str) -> Response:
    """Answer with a file of the page; its address changes with its content."""
    page = load_page()
    asset = page.assets.get(path)
    if asset is None or version != page.version:
        raise refusal("not-found", "Not Found.")
    forever = "public, max-age=31536000, immutable"
    return Response(asset.content, media_type=asset.media_type, headers={"cache-control": forever})
