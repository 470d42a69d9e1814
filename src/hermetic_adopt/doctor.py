"""``hermetic doctor``: what a project still lacks for tests that cannot leak. Exits 1 then."""

from pathlib import Path
from typing import Any

from . import adopt, facts
from . import settings as isolated

Check = tuple[str, list[str]]


def checks(known: dict[str, Any]) -> list[Check]:
    """Each subject, and what is missing in it."""
    return [
        ("plugin", plugin(known)),
        ("settings", settings(known)),
        ("async tests", async_tests(known)),
        ("network", network(known)),
        ("database", database(known)),
        ("leaks", leaks(known)),
    ]


def plugin(known: dict[str, Any]) -> list[str]:
    return [] if known["plugin"] else ["pytest does not load it: remove -p no:hermetic from its options"]


def settings(known: dict[str, Any]) -> list[str]:
    found = known["settings"]
    if not found:
        return ["pytest found no settings of Django: set DJANGO_SETTINGS_MODULE"]
    blocks = [block for block in isolated.blocks(found) if block.reaches]
    if not (found["file"] or "").endswith(f"{isolated.NAME}.py"):
        remedy = "hermetic adopt"
        if found["module"] and known["named"] and known["isolation_addopts"]:
            target, module = isolated.place(found)
            remedy = f"add --ds={module} to isolation_addopts" if target.exists() else remedy
        return [f"{block.reaches}: {remedy}" for block in blocks]
    remedy = f"add it to {Path(found['file']).name}, or leave it"
    return [f"{block.reaches}: {remedy}\n{adopt.indented(block.code)}" for block in blocks]


def async_tests(known: dict[str, Any]) -> list[str]:
    if known["asyncio_mode"] != "unset":
        return []
    return ["pytest-asyncio runs only tests with its marker: set asyncio_mode to auto, or to strict"]


def network(known: dict[str, Any]) -> list[str]:
    if all(known["options"].values()):
        return []
    return [f"tests reach beyond this machine: add {' '.join(adopt.NETWORK)} to isolation_addopts"]


def database(known: dict[str, Any]) -> list[str]:
    return [
        f"{one['database']} replaces pytest-django's set-up: add django_db_setup to its arguments"
        for one in known["conftests"]
        if one["database"]
    ]


def leaks(known: dict[str, Any]) -> list[str]:
    baseline = known["isolation_baseline"]
    if known["isolation"] == "off":
        return ["the guard is off: remove isolation = off"]
    if known["isolation"] != "warn" or (baseline and Path(known["root"], baseline).exists()):
        return []
    update = "--isolation-baseline-update" if baseline else f"--isolation-baseline={adopt.BASELINE}"
    return [
        f"a test that leaks only warns: set isolation to fail, or record what leaks now (pytest {update})"
    ]


def tolerated(known: dict[str, Any]) -> int:
    """How many leaks the baseline lists."""
    file = Path(known["root"], known["isolation_baseline"] or "")
    return file.read_bytes().count(b"\t") if file.is_file() else 0


def main(folder: Path) -> int:
    try:
        known = facts.of(folder)
    except facts.Unknown as error:
        print(f"pytest does not start here. It says:\n{adopt.indented(str(error))}")
        return 1
    missing = 0
    print("  ".join(f"{name} {version or 'missing'}" for name, version in known["versions"].items()))
    for subject, found in checks(known):
        known_leaks = f", {count} tolerated" if subject == "leaks" and (count := tolerated(known)) else ""
        print(f"{'missing' if found else 'ok':8} {subject}{known_leaks}")
        for line in found:
            print(f"         - {line}")
        missing += len(found)
    print(f"\n{missing} missing." if missing else "\nNothing is missing.")
    return bool(missing)
