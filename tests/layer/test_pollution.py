"""The search for a polluter, with made-up suites in place of runs of pytest."""

import importlib
import itertools
import random

import pytest
import zygote

VICTIM = "tests/test_m.py::test_victim"
# 60 tests in 12 files, the victim's in the middle: what imports are, and what tests are.
TESTS = [f"tests/test_{letter}.py::test_{number}" for letter in "abcdefghopqr" for number in range(5)]


@pytest.fixture(scope="module")
def pollution():
    zygote.hermetic()
    return importlib.import_module("hermetic.pollution")


@pytest.fixture
def search(pollution, monkeypatch):
    """A function: when the victim fails, and the order of a run -> the Search for it."""

    def get(fails, order):
        def run(arguments, ids):
            files = {one for one in arguments if one.endswith(".py")}
            assert files >= {one.partition("::")[0] for one in ids}
            assert ids[-1] == VICTIM
            return ids, [VICTIM] if fails(ids[:-1], files) else []

        monkeypatch.setattr(pollution, "run", run)
        at = order.index(VICTIM)
        files = {one.partition("::")[0] for one in order}
        return pollution.Search(VICTIM, order, fails=fails(order[:at], files))

    return get


@pytest.fixture
def order():
    shuffled = random.sample(TESTS, len(TESTS))
    return [*shuffled[:50], VICTIM, *shuffled[50:]]


def said(capsys):
    return capsys.readouterr().out.partition("\n\n")[2]


def test_one_polluter(search, order, capsys):
    for polluter in order[:50]:
        one = search(lambda ids, files, polluter=polluter: polluter in ids, order)
        assert not one.fails_alone()
        assert one.polluters() == 0
        assert said(capsys) == (
            f"{polluter}\nmakes fail\n{VICTIM}\n\nSee it:  uv run pytest -p no:randomly {polluter} {VICTIM}\n"
        )
        assert one.runs <= one.about


def test_several_that_are_needed_together(search, order, capsys):
    for polluters in random.sample([*itertools.combinations(order[:50], 2)], 40):
        one = search(lambda ids, files, needed=polluters: {*needed} <= {*ids}, order)
        assert one.polluters() == 0
        assert said(capsys).startswith(f"{polluters[0]} and\n{polluters[1]}\ntogether make fail\n{VICTIM}\n")
        assert one.runs <= one.about
    three = order[3], order[20], order[41]
    assert search(lambda ids, files: {*three} <= {*ids}, order).polluters() == 0
    assert said(capsys).startswith(" and\n".join(three))


def test_files_are_not_halved_where_no_import_makes_it_fail(search, order):
    one = search(lambda ids, files: order[30] in ids, order)
    asked, fails = [], one.fails
    one.fails = lambda units: asked.append(units) or fails(units)

    assert not one.fails_alone()
    assert one.polluters() == 0

    halves = [units for units in asked if len(units) > 1 and units not in (one.files, one.before)]
    assert len(halves) > 3
    assert all("::" in unit for units in halves for unit in units)


@pytest.mark.parametrize("place", [0, 30, 55])
def test_an_import_is_enough(search, order, capsys, place):
    """Also of a file whose tests all run later: pytest imports it before the first test."""
    file = order[place].partition("::")[0]
    order = [one for one in order if place == 30 or not one.startswith(file)]
    order.insert(place, f"{file}::test_0")

    assert search(lambda ids, files: file in files, order).polluters() == 0

    assert said(capsys).startswith(f"importing {file}\nmakes fail\n{VICTIM}\n")


def test_a_test_and_an_import_together(search, order, capsys):
    imported = next(one for one in order[10:] if not one.startswith(order[4].partition("::")[0]))
    file = imported.partition("::")[0]

    one = search(lambda ids, files: order[4] in ids and file in files, order)
    assert not one.fails_alone()  # It passes with every file imported.
    assert one.polluters() == 0

    assert {*said(capsys).split("\ntogether")[0].split(" and\n")} == {order[4], f"importing {file}"}


def test_a_brittle_test_needs_a_state_setter(search, order, capsys):
    for setter in (order[7], order[55]):  # Before the victim in this order, and after it.
        assert search(lambda ids, files, setter=setter: setter not in ids, order).setters() == 0
        assert said(capsys) == (
            f"{setter}\nmakes pass\n{VICTIM}\n\n"
            "It fails alone: what it needs is set there, and belongs into a fixture.\n"
            f"See it:  uv run pytest -p no:randomly {setter} {VICTIM}\n"
        )


def test_an_import_is_a_state_setter(search, order, capsys):
    file = order[55].partition("::")[0]
    one = search(lambda ids, files: file not in files, order)

    assert one.fails_alone()
    assert one.setters() == 0

    assert said(capsys).startswith(f"importing {file}\nmakes pass\n{VICTIM}\n")


def test_what_no_other_test_decides(search, order, capsys):
    assert search(lambda ids, files: True, order).setters() == 1
    assert (
        "fails alone, and after all other tests: the cause is in the test itself." in capsys.readouterr().out
    )
    assert search(lambda ids, files: False, order).polluters() == 1
    assert "passes alone, and after those tests in this order" in capsys.readouterr().out


def test_chance_is_named(search, order, capsys):
    outcomes = iter([True])  # Of the first run.

    assert search(lambda ids, files: next(outcomes, False), order).polluters() == 1

    assert f"Chance, or more than 5 tests together, make {VICTIM} fail." in capsys.readouterr().out


def test_no_run_is_repeated_and_each_is_announced(search, order, capsys):
    seen = []
    one = search(lambda ids, files: seen.append((tuple(ids), *sorted(files))) or order[13] in ids, order)
    one.fails_alone()
    one.polluters()

    assert len(seen) == len({*seen}) == one.runs
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run 2 of about 9, 13 modules imported: it passes"
    assert lines[1].startswith("run 3 of about 9, after ")


def test_without_the_extra_one_sentence_names_it(pollution, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pollution"])
    monkeypatch.setattr(pollution, "find_spec", lambda name: None)

    with pytest.raises(SystemExit):
        pollution.main()

    assert "is missing: add hermetic-django[pollution]." in capsys.readouterr().err


@pytest.mark.parametrize(("given", "folders"), [([], []), (["--tests", "src"], ["src"])])
def test_the_tests_are_those_of_plain_pytest(pollution, monkeypatch, given, folders):
    monkeypatch.setattr("sys.argv", ["pollution", VICTIM, "--seed", "1", *given])
    monkeypatch.setattr(pollution, "find_spec", lambda name: True)
    asked = []
    monkeypatch.setattr(pollution, "run", lambda arguments, last: (asked.append(arguments), ([], []))[1])

    assert pollution.main() == 2
    assert asked[0][: len(folders) + 1] == [*folders, "-p"]
