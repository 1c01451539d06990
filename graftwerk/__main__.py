"""``python -m graftwerk``."""

from graftwerk.cli.main import run

if __name__ == "__main__":
    run()
