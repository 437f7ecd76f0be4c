"""Data lake, analysis and provenance for RuO2/TiO2 thin films."""

__version__ = "0.1.0"
