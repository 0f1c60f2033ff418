"""Pictures of a result, or of a matrix and its sample table.

Every function takes what it draws and, optionally, axes to draw in, and returns the axes. The table behind each
picture comes from `latentadj.diagnostics`; the docstring names the function. Matplotlib is needed:
``pip install "latentadj[plot]"``.
"""

from latentadj.plots.adjustment_effect import adjustment_effect
from latentadj.plots.comparison import comparison_metric, null_histogram, power_fdp
from latentadj.plots.component_heatmap import component_heatmap, covariate_heatmap
from latentadj.plots.components import pca
from latentadj.plots.controls import control_curve, control_histogram
from latentadj.plots.dendrogram import dendrogram
from latentadj.plots.design import cross_table, design_correlation
from latentadj.plots.effects import effects, mean_variance
from latentadj.plots.estimates import effect_trend
from latentadj.plots.factor_path import factor_path
from latentadj.plots.feature import feature_boxes
from latentadj.plots.heatmap import factor_heatmap
from latentadj.plots.histogram import pvalue_histogram
from latentadj.plots.prediction import prediction_audit
from latentadj.plots.quantiles import qq
from latentadj.plots.relative_levels import rle
from latentadj.plots.residuals import residual_scree
from latentadj.plots.run_order import run_order
from latentadj.plots.significance import ma, volcano
from latentadj.plots.spectrum import scree
from latentadj.plots.variance import pvca, variance_bars, variance_violins
from latentadj.plots.zscores import z_histogram

__all__ = [
    "adjustment_effect",
    "comparison_metric",
    "component_heatmap",
    "control_curve",
    "control_histogram",
    "covariate_heatmap",
    "cross_table",
    "dendrogram",
    "design_correlation",
    "effect_trend",
    "effects",
    "factor_heatmap",
    "factor_path",
    "feature_boxes",
    "ma",
    "mean_variance",
    "null_histogram",
    "pca",
    "power_fdp",
    "prediction_audit",
    "pvalue_histogram",
    "pvca",
    "qq",
    "residual_scree",
    "rle",
    "run_order",
    "scree",
    "variance_bars",
    "variance_violins",
    "volcano",
    "z_histogram",
]
