"""Counts and proportions on their way to a scale where effects add up: size factors, log-CPM, filters, weights."""

from __future__ import annotations

from latentadj.core.expression_filter import ExpressionLimits
from latentadj.counts.cpm import log_cpm
from latentadj.counts.filtering import filter_by_expression
from latentadj.counts.methylation import beta_values, m_values
from latentadj.counts.normalization import normalization_factors, size_factors
from latentadj.counts.voom import VoomResult, voom

__all__ = [
    "ExpressionLimits",
    "VoomResult",
    "beta_values",
    "filter_by_expression",
    "log_cpm",
    "m_values",
    "normalization_factors",
    "size_factors",
    "voom",
]
