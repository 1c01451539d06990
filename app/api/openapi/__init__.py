"""The OpenAPI description of the API.

Here: what routes declare of their bodies and responses, and the document made of it. Never: a route, or a schema of a
kind of the language, which `/v1/catalog` has.
"""
