"""What `graftwerk doctor` looks at: the machine, what lies outside, what is unsafe, the service."""
