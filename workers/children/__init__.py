"""Main functions of child processes that answer the API: inspect, describe, export, predict, query.

Here: from a request to a response. Never: a decision that training makes too.
"""
