"""Reciprocal space maps."""
