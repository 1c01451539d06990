"""Pages: the dashboard and the documentation, as static files that are read once and sent from memory.

Here: which files there are, how they are sent, and the policies that browsers keep to. Never: an answer of the API.
"""
