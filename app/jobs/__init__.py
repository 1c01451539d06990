"""Jobs: states and transitions, all SQL on jobs, the rules, and the wake-ups for workers.

Here: whatever changes a job's row. Never: HTTP, or anything about how a job is trained.
"""
