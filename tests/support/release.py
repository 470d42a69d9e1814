"""Is this commit a release? `make release-check` says yes, or why not, without changing anything.

    python tests/support/release.py check      version, changelog, tag and fixture
    python tests/support/release.py notes      the changelog entry of the version

The version is written in one place, pyproject.toml; the tag is `v<version>`.
"""

import re
import sys
import tempfile
from pathlib import Path

import releases
import shapes
from packaging.version import InvalidVersion, Version

CHANGELOG = shapes.ROOT / "CHANGELOG.md"
NAMED = ("**Questions**", "Files change hands:")


def notes(version: str, changelog: str) -> str:
    """The entry of that version, without its heading; empty when there is none."""
    found = re.search(
        rf"^## {re.escape(version)}(?: \(.*\))?$\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return found[1].strip() if found else ""


def problems(version: str, tags: set[str], changelog: str, fixture: dict | None, tree: dict) -> list[str]:
    """Why this version cannot be released: one sentence each."""
    found = []
    try:
        if str(Version(version)) != version:
            found.append(f"version {version} is {Version(version)} in PEP 440's spelling: write that.")
        newer = [tag for tag in tags if Version(tag) > Version(version)]
        if newer:
            found.append(
                f"version {version} is older than {max(newer, key=Version)}, which is tagged: raise it."
            )
    except InvalidVersion:
        found.append(f"version {version} in pyproject.toml is not of PEP 440: write one like 1.2.0.")
    if f"v{version}" in tags:
        found.append(f"tag v{version} is used, and tags never move: raise the version in pyproject.toml.")
    entry = notes(version, changelog)
    if not entry:
        found.append(f"CHANGELOG.md has no entry '## {version}': write what the release brings.")
    if f"## {version} (unreleased)" in changelog:
        found.append(f"CHANGELOG.md calls {version} unreleased: put the date there.")
    found += [
        f"CHANGELOG.md's entry {version} has no line '{name}': say what an update brings, or 'none'."
        for name in NAMED
        if entry and name not in entry
    ]
    snapshot = f"tests/updates/releases/v{version}.tar.xz"
    if fixture is None:
        found.append(f"{snapshot} is missing: run `make snapshot` and commit it.")
    elif fixture != tree:
        found.append(f"{snapshot} is not this template: run `make snapshot` and commit it.")
    return found


def check() -> list[str]:
    version = releases.version()
    tags = {tag for tag in releases.git("tag", "--list", "v*", cwd=shapes.ROOT).split()}
    with tempfile.TemporaryDirectory() as folder:
        tree = releases.contents(shapes.copy_template(Path(folder) / "tree"))
        fixture = None
        if (releases.FIXTURES / f"v{version}.tar.xz").exists():
            fixture = releases.contents(releases.unpack(f"v{version}", Path(folder) / "fixture"))
    found = problems(version, tags, CHANGELOG.read_text(), fixture, tree)
    if dirty := releases.git("status", "--porcelain", cwd=shapes.ROOT):
        found.append(f"the work tree has uncommitted changes ({dirty.split()[1]}): commit them first.")
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["notes"]:
        sys.stdout.write(notes(releases.version(), CHANGELOG.read_text()) + "\n")
    elif sys.argv[1:] == ["check"]:
        sys.exit("\n".join(check()) or print(f"v{releases.version()} can be tagged."))
    else:
        sys.exit(__doc__)
