"""Which column of an audit table becomes which field of an event: proposed, edited by a person, checked."""

from activity_pipeline.legacy.mapping.check import Checked, check_mapping
from activity_pipeline.legacy.mapping.model import Mapping, read_mapping, write_mapping
from activity_pipeline.legacy.mapping.propose import propose_mapping
from activity_pipeline.legacy.mapping.rows import Mapper

__all__ = [
    "Checked",
    "Mapper",
    "Mapping",
    "check_mapping",
    "propose_mapping",
    "read_mapping",
    "write_mapping",
]
