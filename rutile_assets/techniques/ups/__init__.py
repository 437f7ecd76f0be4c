"""Ultraviolet photoelectron spectroscopy."""
