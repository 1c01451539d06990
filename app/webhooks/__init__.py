"""Webhooks: endpoints, the outbox, signatures, and the sender that delivers messages.

Here: whatever a receiver sees. Never: what an event means to a job.
"""
