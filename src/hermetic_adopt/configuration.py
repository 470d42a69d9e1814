"""The file that configures pytest, and the lines that it gets: new ones, right below the table's header."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iniconfig import IniConfig

COMMENT = "# Added by `hermetic adopt`; each line can go on its own."
HEADERS = {
    "pyproject.toml": ("[tool.pytest.ini_options]", "[tool.pytest]"),
    "pytest.toml": ("[pytest]",),
    ".pytest.toml": ("[pytest]",),
    "setup.cfg": ("[tool:pytest]",),
    "pytest.ini": ("[pytest]",),
    ".pytest.ini": ("[pytest]",),
    "tox.ini": ("[pytest]",),
}


@dataclass
class Edit:
    """A file as it is, and as it would be; ``before`` is None where there is none."""

    file: Path
    before: str | None
    after: str


class NotSure(Exception):
    """The file is written in a way that a person should edit; the message says what to add."""


def edit(root: Path, file: Path | None, options: dict[str, Any]) -> Edit | None:
    """Add the options that the file lacks. None where it has them all."""
    if file is None or not has_table(file):
        own = root / "pyproject.toml"
        return new(file or (own if own.exists() else root / "pytest.ini"), options)
    before = text_of(file)
    is_toml, headers, parse = file.suffix == ".toml", HEADERS.get(file.name, ()), parser(file)
    for header in headers:
        has = parse(before, header)
        line = re.search(rf"^\ufeff?{re.escape(header)}[ \t]*(?:#[^\r\n]*)?(\r?\n|\Z)", before, re.MULTILINE)
        if not line:
            continue
        lacks = {name: value for name, value in options.items() if name not in has}
        if not lacks:
            return None
        end = line[1] or end_of(before)
        added = ("" if line[1] else end) + end.join([COMMENT, *lines(lacks, is_toml), ""])
        after = before[: line.end()] + added + before[line.end() :]
        expected = has | (lacks if is_toml else {name: " ".join(as_list(one)) for name, one in lacks.items()})
        if parse(after, header) == expected:
            return Edit(file, before, after)
    wanted = "\n        ".join(lines(options, is_toml))
    raise NotSure(f"add to the table of pytest in {file.name}:\n        {wanted}")


def read(file: Path) -> dict[str, Any]:
    """What the file says to pytest."""
    found, text = {}, file.read_text(encoding="utf-8")
    for header in HEADERS.get(file.name, ()):
        found |= parser(file)(text, header)
    return found


def has_table(file: Path) -> bool:
    """pytest takes the folder of a pyproject.toml for the root, also where the file does not configure it."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".toml":
        found: Any = tomllib.loads(text)
        return "pytest" in (found.get("tool", {}) if file.name == "pyproject.toml" else found)
    return file.name not in HEADERS or section(HEADERS[file.name][0]) in IniConfig("", data=text)


def names_settings(folder: Path) -> bool:
    """Whether a file that may configure pytest there names the settings of Django."""
    files = [folder / name for name in HEADERS]
    return any("DJANGO_SETTINGS_MODULE" in one.read_text(encoding="utf-8") for one in files if one.exists())


def new(file: Path, options: dict[str, Any]) -> Edit:
    """A table at the end of the file. pytest finds tests in *_test.py, and Django's runner in test*.py."""
    options = {"python_files": ["test*.py", "*_test.py"], **options}
    before = text_of(file) if file.exists() else None
    header, end = HEADERS[file.name][0], end_of(before or "")
    gap = "" if not before else end if before.endswith("\n") else end * 2
    table = [header, COMMENT, *lines(options, file.suffix == ".toml"), ""]
    return Edit(file, before, (before or "") + gap + end.join(table))


def text_of(file: Path) -> str:
    """With its own ends of lines."""
    with file.open(encoding="utf-8", newline="") as opened:
        return opened.read()


def end_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def lines(options: dict[str, Any], is_toml: bool) -> list[str]:
    if not is_toml:
        return [f"{name} = {' '.join(as_list(value))}" for name, value in options.items()]
    return [f"{name} = {quoted(value)}" for name, value in options.items()]


def quoted(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    return f'"{value}"'


def as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def parser(file: Path) -> Callable[[str, str], dict[str, Any]]:
    return of_toml if file.suffix == ".toml" else of_ini


def of_toml(text: str, header: str) -> dict[str, Any]:
    found: Any = tomllib.loads(text)
    for name in section(header).split("."):
        found = found.get(name, {})
    return found


def of_ini(text: str, header: str) -> dict[str, Any]:
    found = IniConfig("", data=text.replace("\r\n", "\n"))
    name = section(header)
    return dict(found[name].items()) if name in found else {}


def section(header: str) -> str:
    return header.strip("[]")
