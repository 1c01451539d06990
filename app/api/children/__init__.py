"""Child processes that load torch on behalf of the API: a pool, and the requests to it.

Here: requests to the processes of `workers.children`, with limits of time and memory. Never: torch itself.
"""
