"""The command line: the client's calls, made readable."""
