"""Draw the picture of the README: `python docs/readme_picture.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import latentadj as la
from latentadj import plots
from latentadj.simulation import Scenario, simulate

study = simulate(Scenario("picture", n_features=4000, confounding=0.6, effect_sd=1.0), 4)
naive = la.adjust(study.X, study.design, n_factors=0)
result = la.adjust(study.X, study.design)

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
plots.scree(result, ax=axes[0])
plots.pvalue_histogram(result, ax=axes[1])
truth = np.ravel(study.truth.effects)
order = np.argsort(np.abs(truth))
for res, colour, label in ((naive, "#d55e00", "without factors"), (result, "#0072b2", "with factors")):
    axes[2].plot(truth[order], res.tests.estimate[order, 0], ".", ms=3, alpha=0.35, color=colour, label=label)
axes[2].axline((0, 0), slope=1, color="black", lw=0.8, ls="--")
axes[2].set(xlabel="true effect", ylabel="estimate")
axes[2].set_title("Estimated against true effects", fontsize=10, loc="left")
axes[2].legend(frameon=False, markerscale=3, fontsize=9, loc="lower right")
axes[2].spines[["top", "right"]].set_visible(False)
fig.savefig(Path(__file__).parent / "images" / "readme.png", dpi=110)
