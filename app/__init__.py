"""The service: what may be asked, what is stored, and how it is answered.

Here: everything that the API process runs. Never: torch, or code that trains (see `workers`).
"""
