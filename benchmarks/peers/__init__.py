"""One program for each ptychography engine; `benchmarks.ptychography_peers` runs each in a process of its own."""
