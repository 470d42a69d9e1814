"""Releasing: each reason not to is found, and said in a sentence."""

import release
import releases
import shapes

ENTRY = """# Changelog

## 1.2.0 (2026-12-01)

New.

- **Questions**: none.
- Files change hands: none.

## 1.1.0

Old.
"""
TREE = {"copier.yml": b"x"}


def problems(version="1.2.0", tags=("v1.1.0",), changelog=ENTRY, fixture=TREE, tree=TREE):
    return release.problems(version, set(tags), changelog, fixture, tree)


def test_a_good_release():
    assert problems() == []


def test_each_reason_not_to_release():
    assert "not of PEP 440" in problems("next")[0]
    assert "PEP 440's spelling" in problems("1.2.0-rc1")[0]
    assert "is used" in problems(tags=["v1.2.0"])[0]
    assert "older than v2.0.0" in problems(tags=["v2.0.0"])[0]
    assert "no entry '## 1.3.0'" in problems("1.3.0")[0]
    assert (
        "no line 'Files change hands:'" in problems(changelog=ENTRY.replace("Files change", "Few change"))[0]
    )
    assert "calls 1.2.0 unreleased" in problems(changelog=ENTRY.replace("2026-12-01", "unreleased"))[0]
    assert "is missing" in problems(fixture=None)[0]
    assert "is not this template" in problems(fixture={"copier.yml": b"y"})[0]


def test_notes_are_the_entry_alone():
    assert release.notes("1.2.0", ENTRY).startswith("New.")
    assert "Old." not in release.notes("1.2.0", ENTRY)


def test_the_version_is_written_once():
    """In pyproject.toml; everything else reads it there."""
    assert release.notes(releases.version(), release.CHANGELOG.read_text())
    for name in ("copier.yml", "Makefile", ".github/workflows/release.yml", "README.md"):
        assert releases.version() not in (shapes.ROOT / name).read_text(), f"{name} repeats the version"


def test_an_archive_is_the_same_for_the_same_tree(template, tmp_path):
    releases.pack(template, tmp_path / "one" / "a.tar.xz")
    releases.pack(template, tmp_path / "two" / "a.tar.xz")

    assert (tmp_path / "one" / "a.tar.xz").read_bytes() == (tmp_path / "two" / "a.tar.xz").read_bytes()
    assert (tmp_path / "one" / "a.tar.xz").stat().st_size < 200_000
