"""Atomic force microscopy."""
