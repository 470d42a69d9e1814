"""What the guard has to say of a class's polluter; its victim and its innocent twin always pass."""

from collections.abc import Callable


def reported(*leaks: str) -> Callable[[type], type]:
    """The polluter errors at teardown, naming these leaks."""
    return _verdict("reported", leaks)


def blocked(*words: str) -> Callable[[type], type]:
    """The polluter fails on its own line, with these words."""
    return _verdict("blocked", words)


def reset() -> Callable[[type], type]:
    """The polluter passes: production code does the same, so it is put back silently."""
    return _verdict("reset", ())


def _verdict(kind: str, words: tuple[str, ...]) -> Callable[[type], type]:
    def mark(cls: type) -> type:
        cls.verdict = (kind, words)
        return cls

    return mark
