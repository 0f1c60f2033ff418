"""Input and output: adapters, readers, writers, alignment by ID, controls, bundled data sets."""

from __future__ import annotations

from .adapters import LabelledMatrix, as_labelled_matrix
from .alignment import AlignmentReport, align_samples
from .controls import read_controls, resolve_controls
from .datasets import Dataset, load_bladder
from .finiteness import check_finite
from .geo import read_series_matrix
from .marking import mark_adjusted
from .provenance import AdjustmentRecord, adjustment_record
from .readers import read_matrix
from .sample_tables import read_samples
from .writers import atomic_directory, write_json_atomic, write_table_atomic

__all__ = [
    "AdjustmentRecord",
    "AlignmentReport",
    "Dataset",
    "LabelledMatrix",
    "adjustment_record",
    "align_samples",
    "as_labelled_matrix",
    "atomic_directory",
    "check_finite",
    "load_bladder",
    "mark_adjusted",
    "read_controls",
    "read_matrix",
    "read_samples",
    "read_series_matrix",
    "resolve_controls",
    "write_json_atomic",
    "write_table_atomic",
]
