"""Training: one loop, one declared state, three capabilities (report, save, commands).

Here: the loop and what it is built from. Never: SQL, Redis or Celery.
"""
