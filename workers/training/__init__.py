"""Training: one loop, one state, and a context to report, save and be commanded.

Here: the loop and what it is built from. Never: SQL, Redis or Celery.
"""
