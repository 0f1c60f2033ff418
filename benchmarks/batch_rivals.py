"""Parametric ComBat of one package, timed in a process of its own: `python batch_rivals.py NAME FOLDER REPEATS`.

The folder holds x.npy (samples x features), codes.npy and covariate.npy. Prints CPU seconds of each repeat after one
warm-up and writes the answer to NAME.npy (samples x features). Needs NumPy and the package that is timed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Work = Callable[[], np.ndarray]


def latentadj(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """This package, with its own stopping rule."""
    from latentadj import ComBat, pass_options

    def work() -> np.ndarray:
        with pass_options(n_threads=1):
            return ComBat().fit_transform(X, batch=codes, covariates=covariate)

    return work


def latentadj_as_r(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """This package, with the numbers of R."""
    from latentadj import ComBat, pass_options

    def work() -> np.ndarray:
        with pass_options(n_threads=1):
            return ComBat(compat="combat-r").fit_transform(X, batch=codes, covariates=covariate)

    return work


def pycombat(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """CoAxLab's pycombat."""
    from pycombat import Combat

    return lambda: Combat().fit_transform(X, codes, X=covariate[:, None])


def combaters(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """A port in Rust."""
    import combaters as package

    return lambda: np.asarray(package.combat(X, codes, mod=covariate[:, None])["adjusted"])


def neurocombat(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """Features x samples in and out."""
    import pandas as pd
    from neuroCombat import neuroCombat

    table, Y = pd.DataFrame({"batch": codes, "x": covariate}), np.ascontiguousarray(X.T)
    return lambda: neuroCombat(Y, table, "batch", continuous_cols=["x"])["data"].T


def neuroharmonize(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """neuroHarmonize without smooth terms."""
    import pandas as pd
    from neuroHarmonize import harmonizationLearn

    table = pd.DataFrame({"SITE": codes.astype(str), "x": covariate})
    return lambda: harmonizationLearn(X, table)[1]


def inmoose(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """pycombat_norm; features x samples."""
    import pandas as pd
    from inmoose.pycombat import pycombat_norm

    Y = pd.DataFrame(np.ascontiguousarray(X.T))
    table = pd.DataFrame({"x": covariate.astype(int)}, index=Y.columns)
    return lambda: np.asarray(pycombat_norm(Y, list(codes), covar_mod=table)).T


def pycombat_of_combat(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """The package called combat; features x samples."""
    import pandas as pd
    from combat.pycombat import pycombat as run

    Y = pd.DataFrame(np.ascontiguousarray(X.T))
    return lambda: np.asarray(run(Y, list(codes), mod=[int(value) for value in covariate])).T


def scanpy(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """scanpy.pp.combat."""
    import anndata
    import pandas as pd
    import scanpy as sc

    obs = pd.DataFrame({"b": pd.Categorical(codes.astype(str)), "x": covariate}, index=[f"s{i}" for i in range(len(X))])
    data = anndata.AnnData(X, obs=obs)
    return lambda: sc.pp.combat(data, "b", covariates=["x"], inplace=False)


def combatlearn(X: np.ndarray, codes: np.ndarray, covariate: np.ndarray) -> Work:
    """With covariates it calls its method "fortin"."""
    import pandas as pd
    from combatlearn import ComBat

    table = pd.DataFrame({"x": covariate})
    return lambda: np.asarray(ComBat(batch=codes, continuous_covariates=table, method="fortin").fit_transform(X))


#: Every package by the name it is asked for with.
PACKAGES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Work]] = {
    "latentadj": latentadj,
    "latentadj_as_r": latentadj_as_r,
    "pycombat": pycombat,
    "combaters": combaters,
    "neuroCombat": neurocombat,
    "neuroHarmonize": neuroharmonize,
    "inmoose": inmoose,
    "combat": pycombat_of_combat,
    "scanpy": scanpy,
    "combatlearn": combatlearn,
}


def main(name: str, folder: Path, repeats: int) -> None:
    """Warm up, time, and write the answer."""
    work = PACKAGES[name](*(np.load(folder / f"{part}.npy") for part in ("x", "codes", "covariate")))
    answer = work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    np.save(folder / f"{name}.npy", answer)
    print("cpu", *(f"{seconds:.6f}" for seconds in times))


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose modules are not the packages
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
