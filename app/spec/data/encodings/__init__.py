"""Encodings: features that make numbers of what are none, such as dates, words of a table, and n-grams of texts.

Here: one feature each, with its settings. Never: features that take a column as it is (see `app.spec.data.features`).
"""
