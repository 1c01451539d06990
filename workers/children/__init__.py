"""Child processes that answer the API: their main functions, and one module per request.

Here: from a request to a response, within limits of memory. Never: a decision that training makes too.
"""
