"""Confounder-aware many-feature regression with latent factor estimation."""
