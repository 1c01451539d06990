"""The documentation as a static site, which the service shows at /docs: ``make site``.

Here: the order of its pages, Markdown to HTML, the index of its search. Never: what a page says (see ``docs/*.md``).
"""
