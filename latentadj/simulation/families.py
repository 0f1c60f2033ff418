"""Named families of simulated studies, from the easy to the unsolved."""

from __future__ import annotations

from latentadj.simulation.scenario import Scenario


def _by_name(*scenarios: Scenario) -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in scenarios}


#: Families that a sound method is expected to handle.
FAMILIES: dict[str, Scenario] = _by_name(
    Scenario("base"),
    Scenario("no factors", n_factors=0, confounding=0.0),
    Scenario("balanced factors", factor_shape="balanced", confounding=0.0),
    Scenario("strong confounding", confounding=0.7),
    Scenario("small n", n_samples=16, n_factors=2, effect_sd=1.5),
    Scenario("ten factors", n_factors=10, loading_sd=0.7, effect_sd=1.0),
    Scenario("weak factors", loading_sd=0.3),
    Scenario("heavy tails", noise_df=5.0),
    Scenario("sparse loadings", loading_density=0.2),
    Scenario("continuous primary", primary="continuous"),
    Scenario("dense effects", effect_share=0.3),
    Scenario("one-sided effects", effect_share=0.4, effect_shape="one_sided"),
    Scenario("effects follow loadings", effect_share=0.1, effect_shape="loadings"),
    Scenario("hidden batch", factor_shape="batch"),
    Scenario("unequal variances", variance_df=2.0),
    Scenario("rare group", group_share=0.1),
    Scenario("counts n 40", n_samples=40, scale="log_counts", loading_sd=0.5),
    Scenario("twenty weak factors", n_samples=120, n_factors=20, loading_sd=0.4),
    Scenario("outlying samples", n_outliers=2),
    Scenario("correlated noise", noise_correlation=0.3),
    Scenario("extreme confounding", confounding=0.9, effect_sd=1.5),
    Scenario("few features", n_features=150, effect_share=0.1),
)

#: Families for which no method is known to be right, the oracle included in some.
OPEN_FAMILIES: dict[str, Scenario] = _by_name(
    Scenario("counts n 12", n_samples=12, n_factors=1, scale="log_counts", loading_sd=0.5),
    Scenario("low counts n 12", n_samples=12, n_factors=1, scale="log_counts", loading_sd=0.5, library_size=1e5),
    Scenario("n 8", n_samples=8, n_factors=1, effect_sd=2.5),
    Scenario("noisy rare group", group_share=0.2, group_noise_ratio=2.0),
)
