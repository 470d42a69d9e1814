"""Whose code runs: the frames of the stack, the innermost first."""

import sys
from collections.abc import Iterator
from inspect import currentframe
from types import FrameType

from .project import LAYER


def callers() -> Iterator[FrameType]:
    """The frames of the code that runs, without this layer's."""
    frame = currentframe()
    while frame:
        if not name_of(frame).startswith(LAYER):
            yield frame
        frame = frame.f_back


def name_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def first(frame: FrameType) -> str:
    """The package of its code."""
    return name_of(frame).partition(".")[0]


def is_of_interpreter(frame: FrameType) -> bool:
    return first(frame) in sys.stdlib_module_names
