"""What can be made of a result beside its tables: other views of it, a report, a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from latentadj.exceptions import InputError
from latentadj.results.components import Components, sample_components
from latentadj.results.shrinkage import ShrunkenEffects, shrink_tests
from latentadj.results.table import check_choice

if TYPE_CHECKING:
    from latentadj.diagnostics.factor_path import FactorPath


class ResultViews:
    """Methods of `AdjustmentResult` that hand the result on to other parts of the package."""

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
            weights = self.loadings.to_numpy()
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

    def report(self: Any, path: str | Path = "report.html") -> Path:
        """Write a self-contained HTML report and return its path."""
        from latentadj.report import write_report

        written: Path = write_report(self, path)
        return written

    def save(self: Any, directory: str | Path) -> Path:
        """Write the result to a directory, without pickle; `latentadj.load_result` reads it.

        Parameters
        ----------
        directory : path
            Made if it is not there; an earlier result in it is replaced as a whole.

        Returns
        -------
        pathlib.Path
        """
        from latentadj.results.storage import save_result

        return save_result(self, directory)
