"""The checks of `graftwerk doctor`: machine, backing services, settings, service."""
