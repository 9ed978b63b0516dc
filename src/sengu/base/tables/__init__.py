"""Tables: CSV files <-> checked pandas frames, and the row types of every table of the line."""

from sengu.base.tables.frames import columns, empty, frame, groups, read, read_sites, rows, write
from sengu.base.tables.rows import (
    TYPES,
    Capture,
    Conflict,
    Duplicate,
    ErasedFile,
    Failed,
    GroupDecision,
    IndexRow,
    Label,
    LabelDetail,
    LabelError,
    Rejected,
    SplitLabel,
    Tombstone,
)

__all__ = [
    "TYPES",
    "Capture",
    "Conflict",
    "Duplicate",
    "ErasedFile",
    "Failed",
    "GroupDecision",
    "IndexRow",
    "Label",
    "LabelDetail",
    "LabelError",
    "Rejected",
    "SplitLabel",
    "Tombstone",
    "columns",
    "empty",
    "frame",
    "groups",
    "read",
    "read_sites",
    "rows",
    "write",
]
