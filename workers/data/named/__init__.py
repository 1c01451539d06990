"""Data sets that have names: how their files are read. Nothing is ever unpickled."""
