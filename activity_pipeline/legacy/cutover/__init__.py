"""Phases forward behind a gate of parity, and back at any time."""

from activity_pipeline.legacy.cutover.change import Changed, Patience
from activity_pipeline.legacy.cutover.gate import ParitySource, StoredParity
from activity_pipeline.legacy.cutover.run import Preview, Request, cutover, preview, rollback
from activity_pipeline.legacy.cutover.steps import install, is_installed, read_dropped, uninstall

__all__ = [
    "Changed",
    "ParitySource",
    "Patience",
    "Preview",
    "Request",
    "StoredParity",
    "cutover",
    "install",
    "is_installed",
    "preview",
    "read_dropped",
    "rollback",
    "uninstall",
]
