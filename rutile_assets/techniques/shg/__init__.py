"""Optical second harmonic generation."""
