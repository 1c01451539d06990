"""API keys and what they may use: authentication, quotas, idempotency keys and the audit log, as SQL.

Here: rules and rows about who asks. Never: HTTP statuses or headers (see `app.api`).
"""
