"""Tables and checks behind the pictures: what the factors are, how the p-values look, what adjustment changed."""

from latentadj.diagnostics.association import covariate_recovery, factor_association
from latentadj.diagnostics.calibration import calibration_table, control_table
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.components import component_table
from latentadj.diagnostics.discoveries import df_budget, discovery_table
from latentadj.diagnostics.factor_path import FactorPath, factor_path
from latentadj.diagnostics.ledger import assumption_ledger, assumption_table
from latentadj.diagnostics.pvalues import classify_pvalues, pvalue_counts, term_pvalues
from latentadj.diagnostics.spectrum import factor_shares, scree_table

__all__ = [
    "CheckResult",
    "FactorPath",
    "assumption_ledger",
    "assumption_table",
    "calibration_table",
    "classify_pvalues",
    "component_table",
    "control_table",
    "covariate_recovery",
    "df_budget",
    "discovery_table",
    "factor_association",
    "factor_path",
    "factor_shares",
    "pvalue_counts",
    "scree_table",
    "term_pvalues",
]
