"""Jobs: states, SQL, rules, wake-ups."""
