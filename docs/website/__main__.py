"""``python -m docs.website`` writes the site to ``app/site``; ``--to FOLDER`` elsewhere."""

import argparse
from pathlib import Path

from docs.website.build import build_site
from docs.website.navigation import ROOT

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "app" / "site")
    folder = parser.parse_args().to
    pages = build_site(folder)
    print(f"{pages} pages in {folder}")
