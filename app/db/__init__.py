"""Tables and the one place that commits."""
