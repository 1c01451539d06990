"""Backups: the database as it was at one moment, and every artifact that it lists, verified."""
