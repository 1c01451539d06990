"""Webhooks: whom to tell what happens to jobs, what waits to be told, and how it is signed.

A message is a row, written in the transaction of the event itself; `workers/courier.py` sends it until it has arrived.
"""
