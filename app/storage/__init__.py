"""Where artifacts lie: a directory or S3."""
