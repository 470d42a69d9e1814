# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.19.1,<10", "packaging>=24", "plumbum>=1.6", "pyyaml>=6"]
# ///
"""Shows the projects of an organisation: release, drift, kept edits, conflicts, tolerated leaks.

    uv run fleet.py projects.txt                        a table
    uv run fleet.py projects.txt --json                 the same as JSON
    uv run fleet.py projects.txt --html fleet.html      the same as a page with a picture

The list has a folder or a git URL on each line; `#` starts a comment. Projects are only read: a URL is
cloned without history, into a temporary folder. Exit codes: 0 every project was read; 1 some could not be.
"""

import argparse
import concurrent.futures
import functools
import html
import importlib.util
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import copier._main
import copier._template
import jinja2

COLUMNS = (
    "project",
    "release",
    "newest",
    "pristine",
    "edited",
    "deleted",
    "kept",
    "conflicts",
    "leaks",
    "error",
)
# Numbers of template files, for the picture: what is pristine, edited and deleted.
COLOURS = {"pristine": "#7aa874", "edited": "#d9a441", "deleted": "#9a9a9a", "conflicts": "#c0504d"}
LEAKS = re.compile(r"\bmark\.leaks\(([^)]*)\)|^\s*isolation\s*=\s*\W?(warn|off)", re.MULTILINE)


@functools.cache
def update():
    """The template's update.py; each release is cloned once a process, each piece of Jinja compiled once."""
    spec = importlib.util.spec_from_file_location("update", Path(__file__).parent / "template" / "update.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["update"] = module
    spec.loader.exec_module(module)
    module.set_environment()
    # Undocumented, seen in Copier 9.19.1: where a worker finds its template, what it removes at the end, and
    # a question to git about each file for an index, which a render does not have.
    copier._main.Template = functools.cache(copier._main.Template)
    copier._template.Template._cleanup = lambda *arguments: None
    copier._main.Worker._sync_git_index_executable_bit = lambda *arguments: None
    compile_once = functools.lru_cache(100_000)(jinja2.Environment.compile)
    jinja2.Environment.compile = lambda self, *arguments, **options: compile_once(
        alike(self), *arguments, **options
    )
    return module


ENVIRONMENTS = {}
SYNTAX = jinja2.Environment.__init__.__code__.co_varnames[1:12]


def alike(environment: jinja2.Environment) -> jinja2.Environment:
    """The first environment that compiles as this one does."""
    key = type(environment), environment.undefined, *(getattr(environment, name) for name in SYNTAX)
    return ENVIRONMENTS.setdefault(key, environment)


def look_at(project: str, to: str | None) -> dict:
    """One row: what could be read, or the reason why not."""
    row = dict.fromkeys(COLUMNS, 0) | {"project": project, "release": "", "newest": "", "error": ""}
    module = update()
    try:
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            root = Path(project).expanduser()
            if not root.is_dir():
                root = Path(folder) / "clone"
                command = [
                    "git",
                    "clone",
                    "--quiet",
                    "--depth=1",
                    "--single-branch",
                    "--",
                    project,
                    str(root),
                ]
                done = subprocess.run(command, capture_output=True, text=True, timeout=300)
                if done.returncode:
                    raise module.Stop((done.stderr.strip().splitlines() or ["git clone failed"])[-1])
            row["release"] = str(module.recorded(root)["_commit"])
            plan = module.make_plan(module.find_repository(root.resolve()), to, {})
            row |= {
                "newest": plan.target,
                "pristine": plan.pristine,
                "edited": len(plan.edited),
                "deleted": len(plan.deleted),
                "kept": len(plan.of("merge", "LOST", "WIPED", "renamed")),
                "conflicts": len(plan.of("conflict")),
                "leaks": leaks(root, module, plan),
            }
    except Exception as error:
        row["error"] = " ".join(str(error).split()) or type(error).__name__
    return row


def leaks(root: Path, module, plan) -> int:
    """The marks and settings by which a project tolerates leaks."""
    names = module.paths("ls-files", "*.py", "*.toml", "*.ini", "*.cfg", cwd=root)
    own = (name for name in names if name not in plan.base or plan.here.get(name) != plan.base[name])
    files = (root / name for name in own if (root / name).is_file())
    return sum(len(LEAKS.findall(file.read_text(errors="replace"))) for file in files)


def table(rows: list[dict]) -> str:
    cells = [COLUMNS, *([str(row[name]) for name in COLUMNS] for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def page(rows: list[dict]) -> str:
    """A page without scripts: a bar for each project, and the table."""
    bars = []
    for number, row in enumerate(rows):
        y, x = 20 * number, 320.0
        bars.append(
            f'<text x="310" y="{y + 14}" text-anchor="end">{html.escape(row["project"][-40:])}</text>'
        )
        total = max(1, row["pristine"] + row["edited"] + row["deleted"])
        parts = {
            "pristine": row["pristine"],
            "edited": max(0, row["edited"] - row["conflicts"]),
            "conflicts": min(row["conflicts"], row["edited"]),
            "deleted": row["deleted"],
        }
        for name, figure in parts.items():
            width = 500 * figure / total
            bars.append(
                f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="15" fill="{COLOURS[name]}"><title>{name}: {figure}</title></rect>'  # noqa: E501
            )
            x += width
        bars.append(f'<text x="830" y="{y + 14}">{html.escape(row["release"] or "cannot be read")}</text>')
    heads = "".join(f"<th>{name}</th>" for name in COLUMNS)
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(row[name]))}</td>" for name in COLUMNS) + "</tr>"
        for row in rows
    )
    key = " ".join(
        f'<span style="background:{colour}">&nbsp;{name}&nbsp;</span>' for name, colour in COLOURS.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Fleet</title><style>body{font:14px sans-serif}'  # noqa: E501
        "td,th{padding:2px 8px;text-align:left}</style><h1>Fleet</h1>"
        f"<p>{len(rows)} projects. Files of the template: {key}</p>"
        f'<svg xmlns="http://www.w3.org/2000/svg" width="960" height="{20 * len(rows) + 4}" role="img">{"".join(bars)}</svg>'  # noqa: E501
        f"<table><tr>{heads}</tr>{lines}</table></html>\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", type=Path, help="file with a folder or URL on each line")
    parser.add_argument("--to", metavar="REF", help="release to compare with (default: the newest)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    options = parser.parse_args()
    try:
        lines = options.list.read_text().splitlines()
    except OSError as error:
        print(
            f"{options.list} cannot be read: {error.strerror}. Name a file with a folder or URL on each line.",  # noqa: E501
            file=sys.stderr,
        )
        return 2
    projects = [
        text for line in lines if (text := line.partition(" #")[0].strip()) and not text.startswith("#")
    ]
    rows = {}
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    update()
    with (
        tempfile.TemporaryDirectory(prefix="fleet-") as folder,
        concurrent.futures.ProcessPoolExecutor(
            os.cpu_count(), context, initializer=setattr, initargs=(tempfile, "tempdir", folder)
        ) as pool,
    ):
        waiting = {pool.submit(look_at, project, options.to): project for project in projects}
        for number, done in enumerate(concurrent.futures.as_completed(waiting), 1):
            rows[waiting[done]] = done.result()
            print(f"\r{number} of {len(projects)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    found = [rows[project] for project in projects]
    if options.html:
        options.html.write_text(page(found))
    print(json.dumps(found, indent=2) if options.json else table(found))
    return int(any(row["error"] for row in found))


if __name__ == "__main__":
    sys.exit(main())
