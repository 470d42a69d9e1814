"""What users read is plain English: one word for one thing, and none of the phrases that puzzled readers."""

import os
import re
import subprocess
import sys

import pytest
import shapes

# Each phrase, and what to write instead.
PHRASES = {
    r"of yours": "your …",
    r"of (?:its|their|his|her) own": "private, separate, or nothing",
    r"fore(?:told|tells?)": "preview",
    r"told": "reported, notified, announced, distinguished",
    r"(?:by|of) (?:itself|themselves)": "automatically, alone, or nothing",
    r"bears? to": "can",
    r"own books": "bookkeeping",
    r"bring (?:it|them) along": "install",
    r"made anew|afresh": "created again, from scratch",
    r"anybody|nobody uses": "anyone, unused",
    r"whom": "who, or another sentence",
    r"(?:it|that) is yours to": "you …",
}
BANNED = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b", re.IGNORECASE)
DOCUMENTS = [
    file
    for pattern in ("*.md", "*.yml", "Makefile", "docs/**/*.md", "hooks/**/*", ".github/**/*", "examples/*.md")
    for file in sorted(shapes.ROOT.glob(pattern))
    if file.is_file() and "__pycache__" not in file.parts
]


def found_in(name, text):
    return [
        f"{name}:{number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        if BANNED.search(line)
    ]


def advice(found):
    phrases = "\n".join(f"    {phrase}: write {instead}" for phrase, instead in PHRASES.items())
    return "\n".join([*found, "Banned phrases:", phrases])


def test_the_documents():
    found = [
        hit for file in DOCUMENTS for hit in found_in(file.relative_to(shapes.ROOT), file.read_text())
    ]

    assert not found, advice(found)


@pytest.mark.parametrize("shape", ["default", "everything", "celery-rabbitmq-channels-drf-sqlite-django6"])
def test_rendered_files(rendered, shape):
    tree = rendered(**shapes.catalogue()[shape])
    found = [
        hit
        for file in sorted(tree.rglob("*"))
        if file.is_file()
        for hit in found_in(file.relative_to(tree), file.read_text())
    ]

    assert not found, advice(found)


def test_the_help_of_update(rendered):
    command = [sys.executable, "update.py", "--help"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=rendered(), env=env, capture_output=True, text=True, check=True)

    assert not found_in("update.py --help", done.stdout)


@pytest.mark.parametrize("phrase", ["a line of yours", "as foretold", "a server of its own", "starts by itself"])
def test_a_banned_phrase_is_found(phrase):
    assert found_in("page", f"first\n{phrase}\n") == [f"page:2: {phrase}"]
