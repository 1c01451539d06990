"""One module per noun of the API, each with a router.

Here: routes of a few lines that call the nouns of `app`. Never: SQL, or a rule that another caller would need.
"""
