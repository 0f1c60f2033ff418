"""Pictures of a result. Every function takes a result and, optionally, axes to draw in, and returns the axes.

The table behind each picture comes from `latentadj.diagnostics`: `pvalue_counts`, `scree_table`,
`factor_association`, `component_table` and `AdjustmentResult.k_path`. Matplotlib is needed:
``pip install "latentadj[plot]"``.
"""

from latentadj.plots.components import pca
from latentadj.plots.factor_path import factor_path
from latentadj.plots.heatmap import factor_heatmap
from latentadj.plots.histogram import pvalue_histogram
from latentadj.plots.spectrum import scree

__all__ = ["factor_heatmap", "factor_path", "pca", "pvalue_histogram", "scree"]
