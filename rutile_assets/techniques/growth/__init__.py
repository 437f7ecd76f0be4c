"""Growth records."""
