"""What a failed check raises."""

from __future__ import annotations


class ContractError(AssertionError):
    """A method or a rule breaks a promise; the message names the promise and the numbers.

    Attributes
    ----------
    promise : str
        Name of the promise, as in `latentadj.testing.PROMISES`; empty until it is known.

    Examples
    --------
    >>> ContractError("Factors are not finite.").about("MyMethod", "finite_answer")
    ContractError('MyMethod breaks the promise finite_answer: Factors are not finite.')
    """

    promise: str = ""

    def about(self, subject: str, promise: str) -> ContractError:
        """Return the same error with the names of what was checked and of the promise in front."""
        named = ContractError(f"{subject} breaks the promise {promise}: {self}")
        named.promise = promise
        return named
