"""The proof that a traced network computes what the module does: both are run, and trained by one step."""
