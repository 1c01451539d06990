"""The HTTP API: the application, its middleware, authentication and the OpenAPI description.

Here: everything that knows HTTP. Never: SQL beyond a call into the nouns of `app`, or torch.
"""
