"""What people and the daemon start: ingest, runs, sensors, schedules."""
