"""Every situation of payloads/conformance, on every database, with and without the plugin for async tests.

`CONFORMANCE_TABLE=1 make test ARGS=tests/projects/test_conformance.py` also runs every situation without the
plugin; then `python tests/projects/test_conformance.py` prints the table.
"""

import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import shapes

RESULTS = shapes.CACHE / "conformance"
WITHOUT = ("-p", "no:hermetic-rollback", "--tb=no", "--timeout=15")
# Red on every database and Django without the plugin: what it is there for.
RED = {
    "test_orm": {
        "test_acreate",
        "test_acreate_by_db_fixture",
        "test_every_async_method",
        "test_sync_to_async_factory[first]",
        "test_sync_to_async_factory[second]",
        "test_rows_of_a_sync_fixture",
        "test_rows_of_an_async_fixture",
        "test_gather",
        "test_durable_atomic",
        "test_two_databases",
        "test_num_queries",
        "test_cancelled_query",
        "TestClass::test_async_method",
    },
    "test_loops": {"test_module_loop[1]"},
    "test_http": {"test_async_client[/sync/]", "test_asgi_application[/async/]", "test_streaming_response"},
    "test_websocket": {"test_consumer[/async/]", "test_consumer[/sync/]"},
    "test_threads": {"test_thread_sensitive_false_is_refused", "test_plain_thread_in_a_sync_test_is_refused"},
    "test_commits": {"TestDjangoTestCase::test_asgi_application", "test_rolls_back_between_them"},
}


@pytest.fixture
def project(generate, request):
    project = generate(
        package_name="shop",
        use_channels=True,
        database="postgresql",
        django_version=request.param,
        # Each delivery of the layer meets every situation.
        testing_layer="package" if request.param == "6.1" else "embedded",
    )
    shutil.copytree(shapes.PAYLOADS / "conformance", project.path / "conformance")
    if url := os.environ.get("CONFORMANCE_DATABASE_URL"):  # Else the project starts a PostgreSQL.
        project.env["DATABASE_URL"] = url
    return project


def verdicts(project, django: str, kind: str, *options: str) -> dict[str, str]:
    """Run the suite: `module::test` -> passed, failed (the test) or error (what it left behind)."""
    name = f"{django}-{kind}-{'without' if WITHOUT[1] in options else 'with'}.xml"
    RESULTS.mkdir(parents=True, exist_ok=True)
    arguments = ("--ds=conformance.settings", f"--junitxml={RESULTS / name}", *options)
    project.env["CONFORMANCE"] = kind
    project.output = project.pytest(*arguments, check=False).stdout
    return read(RESULTS / name)


def read(file: Path) -> dict[str, str]:
    found = {}
    for case in ElementTree.parse(file).iter("testcase"):
        _, module, *classes = case.get("classname").split(".")
        name = "::".join([module, *classes, case.get("name")])
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[name] = max([found.get(name, ""), *bad]) or ""
    return {name: verdict or "passed" for name, verdict in found.items()}


@pytest.mark.parametrize("kind", ["memory", "file", "postgresql"])
@pytest.mark.parametrize("project", ["5.2", "6.1"], indirect=True)
def test_every_situation_rolls_back(project, kind, request):
    found = verdicts(project, request.node.callspec.params["project"], kind, "conformance")

    assert {name: verdict for name, verdict in found.items() if verdict != "passed"} == {}, project.output
    assert len(found) > 120


@pytest.mark.parametrize("kind", ["memory", "file", "postgresql"])
@pytest.mark.parametrize("project", ["5.2", pytest.param("6.1", marks=pytest.mark.slow)], indirect=True)
def test_without_the_plugin_they_are_red(project, kind, request):
    ids = [f"conformance/{module}.py::{name}" for module, names in RED.items() for name in names]
    if os.environ.get("CONFORMANCE_TABLE"):
        ids = ["conformance", "--ignore-glob=*/test_seeds*"]
    found = verdicts(project, request.node.callspec.params["project"], kind, *WITHOUT, *ids)

    wanted = {f"{module}::{name}" for module, names in RED.items() for name in names}
    assert {name for name in wanted if found[name] == "passed"} == set(), project.output


def table() -> None:
    files = sorted(RESULTS.glob("*.xml"))
    columns = {file.stem: read(file) for file in files}
    print("| situation | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in dict.fromkeys(name for column in columns.values() for name in sorted(column)):
        print(f"| {name} | " + " | ".join(column.get(name, "") for column in columns.values()) + " |")
    red = {name: sum(verdict != "passed" for verdict in column.values()) for name, column in columns.items()}
    print("| **red** | " + " | ".join(f"{red[name]} of {len(columns[name])}" for name in columns) + " |")


if __name__ == "__main__":
    table()
