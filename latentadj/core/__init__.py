"""NumPy and SciPy only: pure functions and accumulators, no labels, no options of the front ends."""
