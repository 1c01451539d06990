"""Commands for live surgery: edits of a job, its revisions, and what changed between them."""
