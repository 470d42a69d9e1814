"""The versions that the layer works with: older ones are refused in a sentence, before they fail somewhere."""

import re
from importlib.metadata import PackageNotFoundError, version

import pytest

LOWEST = {"pytest": "8.2", "pytest-asyncio": "1.3", "pytest-django": "4.9", "django": "4.2"}


def refusal(lowest: dict[str, str] = LOWEST) -> str | None:
    """Why the layer does not work here; None when it does."""
    for package, needed in lowest.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            return f"The testing layer needs {package} {needed} or newer, which is not installed: add it."
        if numbers(found) < numbers(needed):
            return (
                f"The testing layer needs {package} {needed} or newer and found {found}: upgrade it, "
                "or remove the layer."
            )
    return None


def numbers(text: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", text)[:2]]


if sentence := refusal():
    raise pytest.UsageError(sentence)
