"""Measured speed, as ratios in the same run: `python -m benchmarks`."""
