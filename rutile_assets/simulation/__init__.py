"""Forward models to files in the vendors' formats, with the truth kept apart."""
