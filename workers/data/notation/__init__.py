"""Notations: how numbers, dates and labels are written as text, and which of them a column of text follows.

Here: from text to numbers, by rules that hold for a whole column. Never: files, or the types of columns.
"""
