"""The service: the language of jobs, what is stored, and the API.

Here: everything that the API process runs. Never: torch, or code that trains (see `workers`).
"""
