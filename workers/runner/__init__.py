"""The processes of one attempt: the forkserver they are forked from, their group, and the main function.

Here: process set-up and the pipe. Never: SQL, Redis or Celery.
"""
