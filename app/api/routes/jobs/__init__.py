"""Routes under `/v1/jobs/{id}` and its checkpoints: verbs, events, curves, files, reports and predictions.

Here: one module per sub-resource of a job. Never: routes of other nouns.
"""
