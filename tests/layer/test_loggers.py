"""Loggers: existing ones, new ones, and those that were placeholders."""

import pytest


@pytest.mark.parametrize(
    ("polluter", "victim", "line"),
    [
        (
            "logging.getLogger('shop').setLevel('ERROR')",
            "logging.getLogger('shop').level == 0",
            "loggers:shop (level NOTSET → ERROR)",
        ),
        (
            "logging.getLogger('new').propagate = False",
            "logging.getLogger('new').propagate",
            "loggers:new (propagate True → False)",
        ),
        (
            "logging.getLogger('parent').disabled = True",
            "not logging.getLogger('parent').disabled",
            "loggers:parent (disabled False → True)",
        ),
        (
            "logging.getLogger('test_it').propagate = False",
            "logging.getLogger('test_it').propagate",
            "loggers:test_it (propagate True → False)",
        ),
        (
            "logging.root.addHandler(logging.NullHandler())",
            "logging.NullHandler not in map(type, logging.root.handlers)",
            "loggers:root (handlers +<NullHandler (NOTSET)>)",
        ),
        (
            "logging.getLogger('shop').addFilter(print)",
            "logging.getLogger('shop').filters == []",
            "loggers:shop (filters +print)",
        ),
    ],
    ids=["level", "new", "placeholder", "named after a module", "root", "filter"],
)
def test_a_logger(leaks, polluter, victim, line):
    head = "logging.getLogger('shop'); logging.getLogger('parent.child')"

    assert leaks(polluter, victim, head=head) == [
        f"{line}: use caplog.set_level(), or a fixture that reverts it"
    ]


def test_what_an_import_configures_is_innocent(leaks):
    files = {"lazy": "import logging\nlog = logging.getLogger(__name__)\nlog.setLevel('ERROR')"}

    assert leaks("import lazy", "logging.getLogger('lazy').level == 40", files=files) == []


def test_caplog_is_innocent(leaks):
    polluter = "caplog.set_level('DEBUG', logger='shop')"

    assert leaks(polluter, "logging.getLogger('shop').level == 0", fixtures="caplog") == []
