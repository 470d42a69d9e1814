"""Other people's suites: the layer breaks no test of theirs, and reports only leaks that leaks.yml lists."""

import ecosystem
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("name", ecosystem.SUITES)
def test_the_layer_breaks_nothing_and_accuses_no_innocent(name, tmp_path):
    before, after, new, unknown = ecosystem.compare(name, tmp_path)

    assert len(before.outcomes) == len(after.outcomes) > 20
    assert len(before.broken()) < len(before.outcomes) / 3, "the environment of this suite does not work"
    assert new == set()
    assert unknown == {}
    assert "is off:" not in after.output


def test_each_suite_is_pinned():
    for name, suite in ecosystem.SUITES.items():
        assert len(suite["sha256"]) == 64, name
        assert any(one.startswith("django==") for one in suite["requires"]), name
    assert ecosystem.TRUE_LEAKS.keys() <= ecosystem.SUITES.keys()
