"""HAADF-STEM: frames of one place under turned scans, corrected for drift, averaged, and scaled by the substrate."""
