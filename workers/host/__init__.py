"""The worker process: claims jobs, supervises attempts, records their messages, and runs periodic duties.

Here: Celery, SQL and supervision. Never: torch.
"""
