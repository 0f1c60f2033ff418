"""The likelihood of MOUTHWASH and the bound of BACKWASH: derivatives, slow algorithms, sampling error."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from latentadj.core.adaptive_shrinkage import null_penalty
from latentadj.core.confounded_mixture import ConfoundedEffects, link_covariance, maximise, profile
from latentadj.core.link_prior import LinkPrior
from latentadj.core.mixture_prior import log_component_densities, mixture_components, scale_grid

Z = np.array([0.7, -1.2])


def made_up(m=300, seed=0, family="normal", df=np.inf, null=0.8, inflation=1.5, z=Z, **options):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(m, z.size))
    s = np.exp(0.3 * rng.normal(size=m)) * 0.5
    effects = np.where(rng.random(m) < null, 0.0, 2.0 * rng.normal(size=m))
    b = effects + A @ z + s * np.sqrt(inflation) * rng.normal(size=m)
    components = mixture_components(family, scale_grid(b, s))
    return ConfoundedEffects(b, A, s, components, null_penalty(components, 10.0), df, **options)


@pytest.mark.parametrize(
    ("family", "df"), [("normal", np.inf), ("uniform", np.inf), ("halfuniform", np.inf), ("uniform", 6.0)]
)
class TestProfile:
    def test_gradient_and_information(self, family, df):
        data, z, log_inflation, h = made_up(family=family, df=df), np.array([0.4, -1.0]), 0.3, 1e-4
        point = profile(data, z, log_inflation)

        def value(step):
            return profile(data, z + step[:2], log_inflation + step[2]).value

        numeric = [(value(h * e) - value(-h * e)) / (2 * h) for e in np.eye(3)]
        assert_allclose(point.gradient, numeric, rtol=1e-5, atol=1e-5)

        def log_marginal(step):
            residual, scale = data.effects - data.loadings @ z + step, data.std_error * np.exp(0.5 * log_inflation)
            return np.log(
                np.exp(log_component_densities(data.components, residual, scale, np.full(300, df))) @ point.weights
            )

        below, middle, above = (log_marginal(step) for step in (-h, 0.0, h))
        assert_allclose(point.score, -(above - below) / (2 * h), atol=1e-5)
        assert_allclose(
            point.information, -(above - 2 * middle + below) / h**2, atol=2e-5 * np.abs(point.information).max()
        )

    def test_maximum(self, family, df):
        """Another optimiser, started at the answer or nearby, does not get higher."""
        data = made_up(m=150, family=family, df=df)
        fit = maximise(data, [np.zeros(2)])
        assert fit.converged
        assert_allclose(fit.point.gradient, 0.0, atol=1e-6)
        for start in (np.append(Z, 0.4), np.append(fit.z, fit.log_inflation)):
            slow = minimize(
                lambda theta: -profile(data, theta[:2], theta[2]).value,
                start,
                method="Nelder-Mead",
                options={"maxfev": 120},
            )
            assert fit.objective >= -slow.fun - 1e-7


class TestMaximum:
    def test_truth_is_found(self):
        fit = maximise(made_up(m=5000), [np.zeros(2)])
        assert_allclose(fit.z, Z, atol=0.03)
        assert 1.35 < fit.inflation < 1.65
        assert 0.75 < fit.point.weights[0] < 0.85

    def test_starts_do_not_matter_here(self):
        data = made_up()
        fits = [maximise(data, [start]) for start in (np.zeros(2), 3 * Z, np.array([-4.0, 5.0]))]
        for fit in fits[1:]:
            assert_allclose(fit.z, fits[0].z, rtol=1e-9)
            assert_allclose(fit.inflation, fits[0].inflation, rtol=1e-8)

    def test_equivariance(self):
        """Features in another order, and loadings in another basis."""
        data, order = made_up(), np.random.default_rng(1).permutation(300)
        turn = np.array([[2.0, 1.0], [0.0, -0.5]])
        fit = maximise(data, [np.zeros(2)])
        changed = replace(
            data, effects=data.effects[order], loadings=data.loadings[order] @ turn, std_error=data.std_error[order]
        )
        other = maximise(changed, [np.zeros(2)])
        assert_allclose(turn @ other.z, fit.z, rtol=1e-9)
        assert_allclose(other.inflation, fit.inflation, rtol=1e-9)

    def test_bounds_of_the_inflation(self):
        fixed = maximise(made_up(max_inflation=1.0), [np.zeros(2)])
        assert fixed.inflation == 1.0
        assert fixed.converged
        assert maximise(made_up(inflation=100.0, null=1.0), [np.zeros(2)]).inflation == pytest.approx(10.0)
        free = maximise(made_up(m=2000, inflation=100.0, null=1.0, max_inflation=1e6), [np.zeros(2)])
        assert 90 < free.inflation < 110

    @pytest.mark.slow
    @pytest.mark.parametrize("null", [1.0, 0.8, 0.3])
    def test_sampling_error(self, null):
        """Standardised by the estimated error, the error of z has variance 1, mixtures misspecified or not."""
        standardised = []
        for seed in range(200):
            data = made_up(seed=seed, null=null, m=400)
            fit = maximise(data, [Z])
            covariance = link_covariance([fit.point], data.loadings)[0, :, 0, :]
            standardised.append(np.linalg.solve(np.linalg.cholesky(covariance), fit.z - Z))
        # three standard errors of a variance of 400 normal values
        assert abs(np.var(standardised) - 1.0) < 3.0 * np.sqrt(2.0 / np.size(standardised))
        assert abs(np.mean(standardised)) < 0.15

    def test_cross_covariance_of_two_columns(self):
        """Two identical columns have the same error; the tensor is symmetric."""
        data = made_up()
        point = maximise(data, [np.zeros(2)]).point
        other = maximise(replace(data, effects=data.effects * 2.0 + 0.1 * data.std_error), [np.zeros(2)]).point
        V = link_covariance([point, point, other], data.loadings)
        assert_allclose(V[0, :, 1, :], V[0, :, 0, :], rtol=1e-12)
        assert_allclose(V, V.transpose(2, 3, 0, 1), rtol=1e-10, atol=1e-14)
        assert np.all(np.linalg.eigvalsh(V.reshape(6, 6)) > -1e-12)


def coordinate_ascent(data, n_rounds):
    """Textbook mean-field variational Bayes of BACKWASH: one update per block, effects and v independent."""
    b, A, S = data.effects, data.loadings, data.std_error**2
    tau2 = data.components.upper**2
    values, vectors = np.linalg.eigh(A.T @ A)
    B = A @ (vectors / np.sqrt(values)) @ vectors.T  # A M^-1/2
    k = A.shape[1]
    w, xi, phi = np.full(tau2.size, 1.0 / tau2.size), 1.0, 1.0
    v, V = np.linalg.lstsq(B, b, rcond=None)[0], np.eye(k)
    for _ in range(n_rounds):
        r = b - phi * B @ v
        variance = tau2 + xi * S[:, None]
        log_share = np.log(np.maximum(w, 1e-300)) - 0.5 * np.log(variance) - 0.5 * r[:, None] ** 2 / variance
        share = np.exp(log_share - log_share.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        means, variances = r[:, None] * tau2 / variance, xi * S[:, None] * tau2 / variance
        mean = (share * means).sum(axis=1)
        spread = (share * (variances + means**2)).sum(axis=1) - mean**2
        w = share.sum(axis=0) + data.penalty
        w /= w.sum()
        G = (B / S[:, None]).T @ B
        V = np.linalg.inv(np.eye(k) + phi**2 / xi * G)
        v = phi / xi * V @ ((B / S[:, None]).T @ (b - mean))
        phi = v @ ((B / S[:, None]).T @ (b - mean)) / (v @ G @ v + np.trace(G @ V))
        xi = np.mean(((b - mean - phi * B @ v) ** 2 + spread + phi**2 * np.einsum("mk,kl,ml->m", B, V, B)) / S)
    return phi * (vectors / np.sqrt(values)) @ vectors.T @ v, xi, phi, w


class TestBackwash:
    def test_bound_against_coordinate_ascent(self):
        """The closed-form bound has its maximum where the slow iteration settles."""
        data = made_up(m=150, null=0.7, max_inflation=1e6)
        components = mixture_components("normal", np.array([0.7, 2.5]))
        data = replace(data, components=components, penalty=null_penalty(components, 10.0))
        z, xi, phi, w = coordinate_ascent(data, 6000)
        prior = LinkPrior.from_loadings(data.loadings, data.std_error)
        fit = maximise(data, [np.zeros(2) + 0.5], prior.term)
        assert_allclose(fit.z, z, rtol=1e-6)
        assert_allclose(fit.inflation, xi, rtol=1e-6)
        assert_allclose(fit.point.weights, w, atol=1e-6)
        assert_allclose(np.sqrt(prior.variance(fit.z, fit.log_inflation)), phi, rtol=1e-6)

    def test_gradient_of_the_term(self):
        data, z, h = made_up(), np.array([0.3, -0.1]), 1e-6
        prior = LinkPrior.from_loadings(data.loadings, data.std_error)
        _, gradient = prior.term(z, 0.2)
        numeric = [
            (prior.term(z + h * e[:2], 0.2 + h * e[2])[0] - prior.term(z - h * e[:2], 0.2 - h * e[2])[0]) / (2 * h)
            for e in np.eye(3)
        ]
        assert_allclose(gradient, numeric, rtol=1e-6)

    def test_scale_is_the_best_one(self):
        data, z = made_up(), np.array([0.3, -0.1])
        prior = LinkPrior.from_loadings(data.loadings, data.std_error)
        t = prior.variance(z, 0.2) * np.exp(np.linspace(-2, 2, 4001))
        size = z @ prior.metric @ z
        ratio = t[:, None] * prior.precisions * np.exp(-0.2)
        values = -0.5 * size / t - 0.5 * np.log1p(ratio).sum(axis=1)
        assert np.argmax(values) == 2000
        assert_allclose(values[2000], prior.term(z, 0.2)[0], rtol=1e-12)

    def test_prior_pulls_towards_zero(self):
        data = made_up(m=60, z=0.15 * Z)
        prior = LinkPrior.from_loadings(data.loadings, data.std_error)
        free, shrunken = maximise(data, [np.zeros(2)]), maximise(data, [0.15 * Z], prior.term)
        assert free.z @ prior.metric @ free.z > shrunken.z @ prior.metric @ shrunken.z
