"""Reflection high-energy electron diffraction."""
