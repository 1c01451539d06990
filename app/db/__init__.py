"""Tables, sessions and migrations: the one place that opens, commits and rolls back.

Here: what every query needs. Never: a query about one noun.
"""
