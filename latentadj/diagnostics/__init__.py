"""Tables and checks behind the pictures: what the factors are, how the p-values look, what adjustment changed."""

from latentadj.diagnostics.adjustment_effect import adjustment_effect, overcorrection_checks
from latentadj.diagnostics.association import covariate_recovery, factor_association
from latentadj.diagnostics.audit_checks import audit_checks, audit_summary
from latentadj.diagnostics.calibration import calibration_table, control_table
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.component_covariates import component_association
from latentadj.diagnostics.components import component_table
from latentadj.diagnostics.covariate_pairs import covariate_relations
from latentadj.diagnostics.design_view import connection_check, design_correlation, sample_counts
from latentadj.diagnostics.discoveries import df_budget, discovery_table
from latentadj.diagnostics.effect_comparison import effect_comparison, mean_variance_table
from latentadj.diagnostics.estimate_structure import estimate_checks, estimate_structure, estimate_trend
from latentadj.diagnostics.exploration import Exploration
from latentadj.diagnostics.exploring import explore
from latentadj.diagnostics.factor_path import FactorPath, factor_path
from latentadj.diagnostics.feature_values import feature_values
from latentadj.diagnostics.known_features import (
    control_ranks,
    control_recovery,
    known_pvalue_counts,
    known_uniformity,
)
from latentadj.diagnostics.ledger import assumption_ledger, assumption_table
from latentadj.diagnostics.prediction_audit import audit_prediction
from latentadj.diagnostics.principal_variance import pvca
from latentadj.diagnostics.pvalues import classify_pvalues, pvalue_counts, term_pvalues
from latentadj.diagnostics.relative_levels import relative_log_expression
from latentadj.diagnostics.residual_structure import (
    ResidualComponents,
    residual_check,
    residual_components,
    residual_scree,
)
from latentadj.diagnostics.run_order import run_order_association, run_order_table
from latentadj.diagnostics.sample_clustering import SampleTree, sample_clustering
from latentadj.diagnostics.sample_columns import sample_columns
from latentadj.diagnostics.significance import inflation_factors, pvalue_quantiles, volcano_table
from latentadj.diagnostics.spectrum import factor_shares, scree_table
from latentadj.diagnostics.structure import diagnose, structure_checks
from latentadj.diagnostics.suggestion import Suggestion, suggest_formula
from latentadj.diagnostics.variance_partition import variance_partition, variance_summary
from latentadj.diagnostics.zscores import zscore_counts, zscore_fit

__all__ = [
    "CheckResult",
    "Exploration",
    "FactorPath",
    "ResidualComponents",
    "SampleTree",
    "Suggestion",
    "adjustment_effect",
    "assumption_ledger",
    "assumption_table",
    "audit_checks",
    "audit_prediction",
    "audit_summary",
    "calibration_table",
    "classify_pvalues",
    "component_association",
    "component_table",
    "connection_check",
    "control_ranks",
    "control_recovery",
    "control_table",
    "covariate_recovery",
    "covariate_relations",
    "design_correlation",
    "df_budget",
    "diagnose",
    "discovery_table",
    "effect_comparison",
    "estimate_checks",
    "estimate_structure",
    "estimate_trend",
    "explore",
    "factor_association",
    "factor_path",
    "factor_shares",
    "feature_values",
    "inflation_factors",
    "known_pvalue_counts",
    "known_uniformity",
    "mean_variance_table",
    "overcorrection_checks",
    "pvalue_counts",
    "pvalue_quantiles",
    "pvca",
    "relative_log_expression",
    "residual_check",
    "residual_components",
    "residual_scree",
    "run_order_association",
    "run_order_table",
    "sample_clustering",
    "sample_columns",
    "sample_counts",
    "scree_table",
    "structure_checks",
    "suggest_formula",
    "term_pvalues",
    "variance_partition",
    "variance_summary",
    "volcano_table",
    "zscore_counts",
    "zscore_fit",
]
