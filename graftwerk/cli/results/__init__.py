"""Commands that show and export what has come of a job: curves, files, reports, predictions."""
