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
        (
            "HANDLER.setLevel('DEBUG')",
            "HANDLER.level == 0",
            "loggers:handled (handler <NullHandler (DEBUG)> level NOTSET → DEBUG)",
        ),
        (
            "HANDLER.addFilter(print); HANDLER.setFormatter(str)",
            "HANDLER.filters == [] and HANDLER.formatter is None",
            "loggers:handled (handler <NullHandler (NOTSET)> formatter None → str, filters +print)",
        ),
        (
            "logging.getLogger('handled').setLevel('ERROR'); HANDLER.setLevel('DEBUG')",
            "HANDLER.level == 0",
            "loggers:handled (level NOTSET → ERROR, handler <NullHandler (DEBUG)> level NOTSET → DEBUG)",
        ),
    ],
    ids=[
        "level",
        "new",
        "placeholder",
        "named after a module",
        "root",
        "filter",
        "level of a handler",
        "filter of a handler",
        "both",
    ],
)
def test_a_logger(leaks, polluter, victim, line):
    head = "logging.getLogger('shop'); logging.getLogger('parent.child'); HANDLER = logging.NullHandler()\n"
    head += "for name in ('handled', 'other'): logging.getLogger(name).addHandler(HANDLER)"

    assert leaks(polluter, victim, head=head) == [
        f"{line}: use caplog.set_level(), or a fixture that reverts it"
    ]


def test_what_an_import_configures_is_innocent(leaks):
    files = {"lazy": "import logging\nlog = logging.getLogger(__name__)\nlog.setLevel('ERROR')"}

    assert leaks("import lazy", "logging.getLogger('lazy').level == 40", files=files) == []


PROD = """
import logging
handler = logging.NullHandler()
logging.getLogger('shop').addHandler(handler)
def verbose():
    handler.setLevel('DEBUG')
    handler.addFilter(print)
"""


def test_a_handler_that_production_configures_is_innocent(leaks):
    victim = "prod.handler.level == 0 and prod.handler.filters == []"

    assert leaks("prod.verbose()", victim, head="import prod", files={"prod": PROD}) == []


def test_the_level_of_caplog_is_innocent(leaks):
    polluter = "caplog.set_level('DEBUG'); caplog.handler.setLevel('ERROR')"

    assert leaks(polluter, head="logging.getLogger('shop').setLevel('INFO')", fixtures="caplog") == []


def test_caplog_is_innocent(leaks):
    polluter = "caplog.set_level('DEBUG', logger='shop')"

    assert leaks(polluter, "logging.getLogger('shop').level == 0", fixtures="caplog") == []
