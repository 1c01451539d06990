"""The workers: the only code that imports torch or runs Celery tasks.

Here: the worker process, its children, and the engine. Never: HTTP routes.
"""
