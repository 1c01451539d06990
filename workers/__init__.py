"""The workers: the only code that imports torch or runs Celery tasks."""
