"""What notebooks show of jobs, networks and data sets.

Here: HTML, in which names and values are text. Never: requests.
"""
