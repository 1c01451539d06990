"""The HTTP server: uvicorn, with limits on connections, heads, pauses and slow readers, before any route.

Here: what happens to a connection. Never: what a request means (see `app.api.routes`).
"""
