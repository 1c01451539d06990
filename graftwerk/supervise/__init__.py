"""What `graftwerk up` runs on: a small supervisor of processes. Knows nothing of jobs."""
