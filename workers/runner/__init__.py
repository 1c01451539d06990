"""The process of one attempt: the forkserver it is forked from, and its main function.

Here: process set-up and the pipe. Never: SQL, Redis or Celery.
"""
