"""The pytest plugin ``hermetic-options``: the layer's ini options and marker, known also with -p no:hermetic.

pytest refuses unknown ones where it is strict or makes warnings errors, and they stay in the project's files.
It imports nothing of the layer.
"""

from typing import Any

OPTIONS = {
    "isolation": "string",
    "isolation_keep": "linelist",
    "isolation_baseline": "string",
    "isolation_addopts": "args",
}


def pytest_addoption(parser: Any, pluginmanager: Any) -> None:
    if pluginmanager.is_blocked("hermetic"):
        for name, kind in OPTIONS.items():
            parser.addini(name, "of the testing layer, which is switched off", type=kind)


def pytest_configure(config: Any) -> None:
    if config.pluginmanager.is_blocked("hermetic"):
        config.addinivalue_line("markers", "leaks(*patterns): of the testing layer, which is switched off")
