"""Brent's search for the minimum of a function of one variable, reporting the last point it tried.

``scipy.optimize.minimize_scalar`` stops by another rule and returns the best point. The smoothing-spline
reference stops when the bracket is shorter than its tolerance and keeps what it computed last; agreement
beyond four digits needs the same sequence of trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_GOLDEN = (3.0 - math.sqrt(5.0)) / 2.0
_RELATIVE = 2e-8
_HUGE = 2e100


@dataclass(slots=True)
class _Bracket:
    """State of the search: the bracket, the three lowest points and the last two step lengths."""

    low: float
    high: float
    best: tuple[float, float]
    second: tuple[float, float]
    third: tuple[float, float]
    step: float = 0.0
    before: float = 0.0

    @property
    def middle(self) -> float:
        return 0.5 * (self.low + self.high)

    def closed(self, tolerance: float) -> bool:
        """Whether both ends are within `tolerance` of the best point."""
        return abs(self.best[0] - self.middle) <= tolerance - 0.5 * (self.high - self.low)

    def propose_golden(self) -> None:
        """Step into the larger part of the bracket by the golden ratio."""
        x = self.best[0]
        self.before = (self.low if x >= self.middle else self.high) - x
        self.step = _GOLDEN * self.before

    def propose_parabola(self, shortest: float) -> bool:
        """Step to the vertex of the parabola through the three points; False if that is not safe."""
        (x, fx), (w, fw), (v, fv) = self.best, self.second, self.third
        if abs(self.before) <= shortest or max(fx, fw, fv) >= _HUGE / 2:
            return False
        r, q = (x - w) * (fx - fv), (x - v) * (fx - fw)
        p, q = (x - v) * q - (x - w) * r, 2.0 * (q - r)
        p, q = (-p, q) if q > 0.0 else (p, -q)
        limit, self.before = abs(0.5 * q * self.before), self.step
        if q == 0.0 or abs(p) >= limit or p <= q * (self.low - x) or p >= q * (self.high - x):
            return False
        self.step = p / q
        if min(x + self.step - self.low, self.high - x - self.step) < 2.0 * shortest:
            self.step = math.copysign(shortest, self.middle - x)
        return True

    def take(self, u: float, fu: float) -> None:
        """Shrink the bracket around the lower of the best and the new point."""
        x = self.best[0]
        if fu <= self.best[1]:
            self.low, self.high = (x, self.high) if u >= x else (self.low, x)
            self.best, self.second, self.third = (u, fu), self.best, self.second
            return
        self.low, self.high = (u, self.high) if u < x else (self.low, u)
        if fu <= self.second[1] or self.second[0] == x:
            self.second, self.third = (u, fu), self.second
        elif fu <= self.third[1] or self.third[0] in (x, self.second[0]):
            self.third = (u, fu)


def last_trial(
    function: Callable[[float], float],
    low: float = -1.5,
    high: float = 1.5,
    *,
    tolerance: float = 1e-4,
    max_iter: int = 500,
) -> float:
    """Search the minimum of `function` and return the last point tried.

    Parameters
    ----------
    function : callable
        Function of one float. A value that is not finite counts as very large.
    low, high : float
        Ends of the bracket.
    tolerance : float
        Wanted length of the final bracket.
    max_iter : int
        Limit on the number of trials.

    Returns
    -------
    float
        Within about `tolerance` of a local minimum; not always the best point seen.

    References
    ----------
    Brent (1973), Algorithms for Minimization without Derivatives, ch. 5 (localmin).

    Examples
    --------
    >>> abs(last_trial(lambda x: (x - 0.3) ** 2) - 0.3) < 1e-3
    True
    """
    u = low + _GOLDEN * (high - low)
    start = (u, function(u))
    bracket = _Bracket(low, high, start, start, start)
    for _ in range(max_iter):
        shortest = _RELATIVE * abs(bracket.best[0]) + tolerance / 3.0
        if bracket.closed(2.0 * shortest):
            break
        if not bracket.propose_parabola(shortest):
            bracket.propose_golden()
        u = bracket.best[0] + math.copysign(max(abs(bracket.step), shortest), bracket.step)
        value = function(u)
        bracket.take(u, value if math.isfinite(value) else _HUGE)
    return u
