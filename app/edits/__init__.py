"""Edits of jobs: their states, their rows, and the revisions of a job's document that they make.

Here: whatever changes an edit's row, and which document a step of a job has. Never: how a network is changed (see
`workers.surgery`), or HTTP.
"""
