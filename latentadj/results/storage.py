"""Results on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save_result(result: Any, directory: str | Path) -> Path:
    """Being written."""
    raise NotImplementedError


def load_result(directory: str | Path) -> Any:
    """Being written."""
    raise NotImplementedError
