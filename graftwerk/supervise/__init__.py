"""Process supervision for `graftwerk up`. Knows nothing of jobs."""
