"""Four-dimensional STEM: diffraction patterns of a scan, their calibration, and how the detector lies to the scan."""
