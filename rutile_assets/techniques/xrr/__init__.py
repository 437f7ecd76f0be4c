"""X-ray reflectivity."""
