"""What can be made of a result beside its tables: other views of it, a report, a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from latentadj.exceptions import InputError
from latentadj.results.anndata_output import write_into_anndata
from latentadj.results.components import Components, sample_components, shown_loadings
from latentadj.results.contrasts import contrast_table
from latentadj.results.decisions import DecisionRule, decision_table
from latentadj.results.files import ResultFiles
from latentadj.results.minimum_effect import minimum_effect_table, resolved_threshold
from latentadj.results.shrinkage import ShrunkenEffects, shrink_tests
from latentadj.results.table import check_choice

if TYPE_CHECKING:
    from latentadj.diagnostics.factor_path import FactorPath


class ResultViews(ResultFiles):
    """Methods of `AdjustmentResult` that hand the result on to other parts of the package."""

    def contrast(self: Any, text: str | Sequence[str], p_adjust: str = "bh", *, joint: bool = False) -> pd.DataFrame:
        """Test contrasts by name, one by one or jointly.

        Parameters
        ----------
        text : str or sequence of str
            For example ``"cancer[Biopsy] - cancer[Cancer]"`` or ``"2 * x - z"``.
        p_adjust : str, default="bh"
            For every contrast on its own.
        joint : bool, default=False
            One F test of all contrasts in place of a t test of each; those that follow from others add nothing.

        Returns
        -------
        pandas.DataFrame
            As `tidy`, a row per feature and contrast, the first contrast first, or per feature with ``df1`` added. Not
            calibrated.

        Raises
        ------
        InputError
            For an empty list.
        FormulaError
            For names the design does not have.
        NotEstimableError
            When the design cannot estimate it.

        Examples
        --------
        >>> import latentadj as la, numpy as np
        >>> X, g = np.random.default_rng(0).normal(size=(12, 50)), pd.DataFrame({"g": list("abc") * 4})
        >>> res = la.adjust(X, "~ g", g, method="none")
        >>> res.contrast(["g[b] - g[c]", "g[c] - g[a]"])["term"].unique().tolist()
        ['g[b] - g[c]', 'g[c] - g[a]']
        >>> bool(np.allclose(res.contrast(["g[b] - g[c]", "g[c] - g[a]"], joint=True)["p_value"],
        ...                  res.tidy(joint=True)["p_value"]))
        True
        """
        return contrast_table(self, text, p_adjust, joint=joint)

    def treat(
        self: Any,
        lfc: float | None = None,
        *,
        fold_change: float | None = None,
        term: str | Sequence[str] | None = None,
        p_adjust: str = "bh",
        which: str = "adjusted",
        null: str = "worst",
    ) -> pd.DataFrame:
        """Test that effects are larger than what matters, instead of different from zero.

        Parameters
        ----------
        lfc : float
            Smallest effect of interest, in units of the measurements (a log2 fold change for log2 data).
        fold_change : float, optional
            The same as a fold change, for log2 data; in place of `lfc`.
        term : str or sequence of str, optional
            Tested columns, formula terms, or contrasts by name; all tested columns by default.
        p_adjust : str, default="bh"
            As in `tidy`.
        which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"
            With factors, without them, or with factors but before calibration. Calibrated tests carry their null
            distribution over: see Notes.
        null : {"worst", "average"}, default="worst"
            "worst" bounds the error rate for every effect up to `lfc`; "average" does for effects uniform up to it.

        Returns
        -------
        pandas.DataFrame
            The columns of `tidy`. ``statistic`` is the distance from the interval of small effects in standard errors,
            0 inside; ``p_value`` and ``p_value_unadjusted`` are those of ``|effect| > lfc``. Estimates and confidence
            limits are those of the effect.

        Raises
        ------
        InputError
            Neither or both of `lfc` and `fold_change`, or one out of range.
        MethodError
            Contrasts of a calibrated result, or a calibration by ranks, which knows zero only: use
            ``which="uncalibrated"``.
        FormulaError, NotEstimableError
            Contrasts that the design does not have or cannot estimate.

        Notes
        -----
        McCarthy and Smyth (2009), Bioinformatics 25:765. Standard errors are those of `tidy`: moderated, with the part
        of the estimated confounding. Where a calibration found a null distribution of ``(z - centre) / scale``,
        estimates are taken to be off by ``centre`` errors, and errors to be ``scale`` times as large.

        Examples
        --------
        >>> import latentadj as la, numpy as np
        >>> y = np.repeat([0.0, 1.0], 6)
        >>> X = np.random.default_rng(0).normal(size=(12, 50)) + np.outer(y, np.r_[5.0, np.zeros(49)])
        >>> table = la.adjust(X, la.Design.from_arrays(y), method="none").treat(lfc=1.0)
        >>> table["feature"][table["p_adjusted"] < 0.05].tolist()
        [0]
        """
        return minimum_effect_table(self, resolved_threshold(lfc, fold_change), term, p_adjust, which, null)

    def decide(
        self: Any,
        method: str = "separate",
        p_value: float = 0.05,
        lfc: float = 0.0,
        p_adjust: str = "bh",
        *,
        terms: str | Sequence[str] | None = None,
        which: str = "adjusted",
        compat: str | None = None,
    ) -> pd.DataFrame:
        """Classify every test as down (-1), not significant (0) or up (1).

        Parameters
        ----------
        method : {"separate", "global", "hierarchical", "nestedF"}, default="separate"
            Multiplicity over tests: "separate" adjusts every test over the features, "global" all tests together.
            "hierarchical" first selects features by their joint F test and then adjusts over the tests of each;
            "nestedF" also selects by F, and calls a test when F stays significant with all larger statistics brought
            down to its own size.
        p_value : float, default=0.05
            Adjusted p-values below are significant.
        lfc : float, default=0
            Smallest effect of interest: tests are those of `treat`. Not for "nestedF".
        p_adjust : {"bh", "by", "holm", "bonferroni", "none"}, default="bh"
        terms : str or sequence of str, optional
            Tested columns, formula terms, or contrasts by name (``["a - b", "c"]``); all tested columns by default.
        which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"
            As in `tidy`; a calibrated result is classified by its calibrated tests.
        compat : {None, "limma"}, default=None
            "limma" takes `lfc` as a cut-off for estimates after the tests, which controls no error rate beyond it.

        Returns
        -------
        pandas.DataFrame of int8, shape (n_features, T)
            Indexed by feature, a column per test; tests that cannot be made are 0. ``attrs`` holds the rule, the
            calibration, and in ``attrs["summary"]`` how many are down, not significant and up.

        Raises
        ------
        MethodError
            An unknown method, adjustment or `which`; `lfc` with "nestedF"; contrasts of a calibrated result; the nested
            F with cluster-robust errors.
        InputError
            `p_value` or `lfc` out of range.
        FormulaError, NotEstimableError
            Contrasts that the design does not have or cannot estimate.

        Notes
        -----
        Smyth (2004), SAGMB 3:3; Benjamini and Bogomolov (2014), JRSS B 76:297, for the level within selected features.

        Examples
        --------
        >>> import latentadj as la, numpy as np
        >>> g = pd.DataFrame({"g": list("abc") * 6})
        >>> X = np.random.default_rng(0).normal(size=(18, 50))
        >>> X[1::3, 0] += 6
        >>> res = la.adjust(X, "~ g", g, method="none")
        >>> calls = res.decide("global", 1e-3, terms=["g[b] - g[a]", "g[c] - g[b]"])
        >>> calls.iloc[0].tolist(), calls.attrs["summary"]["g[b] - g[a]"]
        ([1, -1], {'down': 0, 'not_significant': 49, 'up': 1})
        """
        rule = DecisionRule(method, p_value, lfc, p_adjust, compat)
        return decision_table(self, rule, terms, which)

    def principal_components(self: Any, which: str = "before", n_components: int = 2) -> Components:
        """Principal components of the data, for display.

        Parameters
        ----------
        which : {"before", "after"}, default="before"
            Before or after the factors' part is subtracted.
        n_components : int, default=2

        Returns
        -------
        Components
            Scores, and shares of the variance.

        Raises
        ------
        InputError
            For a result read from disk, which does not hold the data.
        """
        check_choice("which", which, ("before", "after"))
        if self.matrix is None:
            raise InputError("Principal components need the data, which a saved result does not hold.")
        weights = None
        if which == "after" and self.n_factors:
            weights = shown_loadings(self, self.matrix)
        return sample_components(self.matrix, self.estimate.scores, weights, n_components)

    def shrink(self: Any, mixture: str = "uniform") -> ShrunkenEffects:
        """Shrink the adjusted effects towards zero, by a prior that all features share (ash).

        Parameters
        ----------
        mixture : {"uniform", "halfuniform", "normal"}, default="uniform"
            Shape of the prior beside its mass at zero.

        Returns
        -------
        ShrunkenEffects
            Posterior means and standard deviations, local false sign rates, s-values and local false discovery rates
            of every tested column. Methods that estimate such a prior themselves (MOUTHWASH, BACKWASH) give their own.

        Notes
        -----
        Stephens (2017), Biostatistics 18:275.
        """
        posterior: ShrunkenEffects | None = self.estimate.posterior
        if posterior is not None:
            return posterior
        return shrink_tests(self.tests, mixture=mixture)

    def k_path(self: Any, longest: int | None = None) -> FactorPath:
        """Adjust for 0, 1, ..., `longest` factors at the price of one decomposition.

        Parameters
        ----------
        longest : int, optional
            By default twice the number in use, at least 20, as far as degrees of freedom allow.

        Returns
        -------
        FactorPath
            Effects, standard errors and p-values for every number; ``.table()`` sums them up, and
            ``latentadj.plots.factor_path`` draws them.

        Raises
        ------
        InputError
            For a result read from disk, which does not hold the data.
        """
        from latentadj.diagnostics.factor_path import factor_path

        return factor_path(self, longest)

    def assumptions(self: Any, *, replicates: Any = None) -> pd.DataFrame:
        """State what separates hidden factors from true effects, and check what can be checked.

        Parameters
        ----------
        replicates : optional
            Labels of replicates, or a column of the sample table, where the result does not know them.

        Returns
        -------
        pandas.DataFrame
            ``check, verdict, level, cause, next_step, numbers``; see `latentadj.diagnostics.assumption_ledger`.
        """
        from latentadj.diagnostics.ledger import assumption_table

        return assumption_table(self, replicates=replicates)

    def to_anndata(self: Any, adata: Any) -> Any:
        """Write factors, loadings and the record of this result into an AnnData object, and return it.

        Parameters
        ----------
        adata : AnnData
            Samples and features of the result, all or some of them, in any order; changed in place.

        Returns
        -------
        AnnData
            With ``obsm["X_latent"]``, ``varm["latent_loadings"]`` and ``uns["latentadj"]["result"]``.

        Raises
        ------
        InputError, AlignmentError
            No AnnData object, or one with samples or features that the result does not have.
        """
        return write_into_anndata(self, adata)
