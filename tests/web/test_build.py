"""The built pages in app/web are those of the source in web/, are small, and need no policy that allows inline code."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "web"
BUILD = ROOT / "app" / "web"
LEFT_OUT = {"node_modules", "dist", "build.json", "__pycache__"}
FIRST_LOAD_BYTES = 60_000
FORBIDDEN = (r"<script(?![^>]*\bsrc=)", r"<style", r"\sstyle=", r"\son\w+=", r"https?://(?!www\.w3\.org)")


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return json.loads((BUILD / "build.json").read_text())  # type: ignore[no-any-return]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not LEFT_OUT & set(path.relative_to(folder).parts) and path.suffix != ".py"
    }


@pytest.mark.parametrize(("part", "folder"), [("source", SOURCE), ("build", BUILD)], ids=["source", "build"])
def test_the_build_is_of_this_source(manifest: dict[str, Any], part: str, folder: Path) -> None:
    now = digests(folder)
    changed = {name for name in now.keys() | manifest[part].keys() if now.get(name) != manifest[part].get(name)}
    assert not changed, "stale: run make web"


def test_the_build_is_of_what_it_reads_beside_its_source(manifest: dict[str, Any]) -> None:
    outside = manifest["outside"]
    texts = [path.read_text() for path in (SOURCE / "src").rglob("*.ts*")]
    read = {name for text in texts for name in re.findall(r'import\("virtual:example/([\w/-]+)"\)', text)}
    assert {f"../examples/{name}.json" for name in read} | {"../docs/openapi.json"} == outside.keys(), (
        "stale: run make web"
    )
    changed = [name for name in outside if sha256(SOURCE / name) != outside[name]]
    assert not changed, "stale: run make web"


def test_the_first_load_is_small(manifest: dict[str, Any]) -> None:
    page = (BUILD / "index.html").read_text()
    named = ["index.html", *re.findall(r'(?:src|href)="/([^"]+\.(?:js|css))"', page)]
    assert manifest["first_load"]["files"] == named
    total = sum(len(gzip.compress((BUILD / name).read_bytes(), 9)) for name in named)
    print(f"first load: {total:,} bytes gzip in {len(named)} files; all files: {sum(sizes()):,} bytes")
    assert total < FIRST_LOAD_BYTES


def sizes() -> Iterator[int]:
    """Yield the size of every built file."""
    for name in digests(BUILD):
        yield (BUILD / name).stat().st_size


def test_the_licence_of_every_package_is_beside_the_build() -> None:
    text = (BUILD / "licenses.txt").read_text()
    licences = dict(re.findall(r"^## (\S+) - [\d.]+ \(MIT\)\n\n(.*?)(?=\n## |\Z)", text, re.DOTALL | re.MULTILINE))
    assert licences.keys() >= json.loads((SOURCE / "package.json").read_text())["dependencies"].keys()
    assert text.count("\n## ") == len(licences)  # another licence than MIT is to be looked at
    assert [name for name, licence in licences.items() if "Permission is hereby granted" not in licence] == []


def test_the_page_has_nothing_inline() -> None:
    page = (BUILD / "index.html").read_text()
    assert not [pattern for pattern in FORBIDDEN if re.search(pattern, page)]


@pytest.fixture(scope="module")
def npm() -> str:
    """The program npm, with the packages of web/ installed."""
    program = shutil.which("npm")
    if program is None or shutil.which("node") is None:
        pytest.skip("no Node: only hashes are compared")
    if not (SOURCE / "node_modules").exists():
        command = [program, "ci", "--no-audit", "--no-fund", "--prefer-offline"]
        installed = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=180, check=False)
        if installed.returncode:
            pytest.skip(f"npm ci does not work here: {installed.stderr[-200:]}")
    return program


def run(npm: str, *words: str) -> str:
    """Run a program of node_modules in web/; return what it prints."""
    command = [npm, "exec", "--offline", "--", *words]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_another_build_gives_the_same_files(npm: str, tmp_path: Path) -> None:
    run(npm, "vite", "build", "--outDir", str(tmp_path / "web"), "--emptyOutDir", "--logLevel", "error")
    assert digests(tmp_path / "web") == digests(BUILD)


def test_types_are_of_this_description_of_the_api(npm: str, tmp_path: Path) -> None:
    script = json.loads((SOURCE / "package.json").read_text())["scripts"]["types"].split()
    target = script.index("--output") + 1
    committed = SOURCE / script[target]
    script[target] = str(tmp_path / "schema.d.ts")
    run(npm, *script)
    assert (tmp_path / "schema.d.ts").read_text() == committed.read_text(), "stale: run make web"


def test_the_source_has_the_types_it_says(npm: str) -> None:
    run(npm, "tsc", "--noEmit")


def test_the_logic_of_the_pages(npm: str) -> None:
    assert " passed" in run(npm, "vitest", "run")
