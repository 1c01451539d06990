"""The service: what may be asked, what is remembered, how it is answered. Never imports torch."""
