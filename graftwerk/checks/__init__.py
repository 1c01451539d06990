"""The checks of `graftwerk doctor`: machine, imports of jobs, backing services, settings, service."""
