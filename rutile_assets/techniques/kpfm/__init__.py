"""Kelvin probe force microscopy."""
