"""How long computations are carried out: kept on disk, watched, and estimated beforehand."""

from __future__ import annotations

from .dask_executor import DaskExecutor
from .folder_checkpoint import FolderCheckpoint
from .memory import ResourceEstimate, available_memory, estimate_resources
from .notices import CheckpointWarning, MemoryWarning
from .showing import show_progress

__all__ = [
    "CheckpointWarning",
    "DaskExecutor",
    "FolderCheckpoint",
    "MemoryWarning",
    "ResourceEstimate",
    "available_memory",
    "estimate_resources",
    "show_progress",
]
