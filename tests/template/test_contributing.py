"""The page for contributors: every make target, and files that exist."""

import re

import shapes

PAGE = (shapes.ROOT / "CONTRIBUTING.md").read_text()


def test_it_has_every_target_of_make_and_no_other():
    makefile = (shapes.ROOT / "Makefile").read_text()
    documented = set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", PAGE)) == documented
    (phony,) = re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    assert set(phony.split()) == documented


def test_what_the_documents_name_exists():
    """Links, and paths of the repository in code marks."""
    documents = [shapes.ROOT / "README.md", shapes.ROOT / "CONTRIBUTING.md", *shapes.ROOT.glob("docs/**/*.md")]
    for document in documents:
        text = document.read_text()
        paths = [document.parent / link for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text)]
        paths += [shapes.ROOT / path for path in re.findall(r"`((?:tests|template|hooks|docs|src)/[^`*<]*)`", text)]
        missing = [str(path) for path in paths if not path.exists()]
        assert not missing, f"{document.name} names what is not there: {', '.join(missing)}"


def test_the_tests_that_documents_name_exist():
    sources = [*shapes.ROOT.glob("tests/**/test_*.py"), *shapes.ROOT.glob("template/tests/**/*test_*")]
    tests = set(re.findall(r"def (test_\w+)", "".join(file.read_text() for file in sources)))
    for document in shapes.ROOT.glob("docs/**/*.md"):
        named = set(re.findall(r"`(test_\w+)`", document.read_text()))
        assert not named - tests, f"{document.name} names {named - tests}"
