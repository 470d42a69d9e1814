"""The command ``hermetic``."""

import argparse
import io
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="hermetic", description="The testing layer for a Django project that exists already."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    adopt = commands.add_parser("adopt", help="add isolated settings and the options of pytest")
    adopt.add_argument("--dry-run", action="store_true", help="show the diff, and write nothing")
    doctor = commands.add_parser("doctor", help="say what is missing; exit 1 if anything is")
    for command in (adopt, doctor):
        command.add_argument(
            "--folder", type=Path, default=Path.cwd(), help="where pytest is run (default: the current one)"
        )
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):  # A diff may have a character that the terminal has not.
        sys.stdout.reconfigure(errors="backslashreplace")
    if not options.folder.is_dir():
        parser.error(f"There is no folder {options.folder}: name the one in which you run pytest.")
    if options.command == "adopt":
        from .adopt import main as adopt_project

        return adopt_project(options.folder, options.dry_run)
    from .doctor import main as examine

    return examine(options.folder)


if __name__ == "__main__":
    sys.exit(main())
