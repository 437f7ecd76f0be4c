"""Vendor file formats: bytes to Measurement."""
