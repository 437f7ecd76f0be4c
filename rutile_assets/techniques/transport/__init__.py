"""Electrical transport."""
