"""The worker process: claims jobs, starts and watches attempts, writes what they report, and runs periodic duties.

Here: Celery, SQL and supervision. Never: torch.
"""
