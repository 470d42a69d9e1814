"""Random suites with a database: each test finds the rows of its set-ups, whatever ran before it."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from test_judged import ENDS

HEAD = """
import asyncio, threading
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from hermetic.database.seeds import seed

def rows():
    return sorted(Group.objects.values_list('name', flat=True))

def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()

def undone():
    try:
        with transaction.atomic():
            Group.objects.create(name='never')
            Group.objects.filter(name='a').delete()
            raise KeyError
    except KeyError:
        pass
"""
SYNC = [
    "Group.objects.create(name='new')",
    "Group.objects.all().delete()",
    "Group.objects.update_or_create(name='a')",
    "Group.objects.filter(name='a').update(name='z')",
    "undone()",
    "Group.objects.bulk_create([Group(name='n1'), Group(name='n2')])",
    "transaction.on_commit(lambda: Group.objects.create(name='late'))",
]
ASYNC = [
    "await Group.objects.acreate(name='new')",
    "await Group.objects.all().adelete()",
    "await sync_to_async(undone)()",
    "await asyncio.gather(*(Group.objects.acreate(name=f'g{n}') for n in range(3)))",
    "await asyncio.create_task(Group.objects.filter(name='a').aupdate(name='z'))",
    "asyncio.get_running_loop().create_task(Group.objects.acreate(name='late')); await asyncio.sleep(0.01)",
]
THREADS = ["in_thread(lambda: Group.objects.create(name='thread'))", "in_thread(undone)"]
COMMITS_ASYNC = ["await asyncio.to_thread(lambda: Group.objects.create(name='other'))"]


@dataclass
class Suite:
    """Writes the files of a random suite; ``rows``: what a test finds where the file is now."""

    random: Random
    rows: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    def some(self, what: list[str]) -> list[str]:
        return self.random.sample(what, k=self.random.randrange(4))

    def ends(self, body: list[str]) -> list[str]:
        end = self.random.choice(["pass", "pass", "pass", "pytest.fail()", "pytest.skip()"])
        self.outcomes[ENDS[end]] += 1
        return [*body, end]

    def function(self, name: str, commits: bool, arguments: str) -> list[str]:
        mark = "@pytest.mark.django_db(transaction=True)" if commits else "@pytest.mark.django_db"
        if self.random.random() < 0.5:
            body = self.some(SYNC + THREADS * commits)
            return [
                mark,
                f"def {name}({arguments}):",
                f"    assert rows() == {sorted(self.rows)}",
                *[f"    {line}" for line in self.ends(body)],
            ]
        body = self.some(ASYNC + COMMITS_ASYNC * commits)
        return [
            mark,
            f"async def {name}({arguments}):",
            f"    assert await sync_to_async(rows)() == {sorted(self.rows)}",
            *[f"    {line}" for line in self.ends(body)],
        ]

    def case(self, name: str, commits: bool) -> list[str]:
        lines = [f"class {name}({'TransactionTestCase' if commits else 'TestCase'}):"]
        found = [*self.rows]
        if not commits and self.random.random() < 0.7:
            lines += [
                "    @classmethod",
                "    def setUpTestData(cls):",
                "        Group.objects.create(name='data')",
            ]
            found.append("data")
        for number in range(2):
            lines += [f"    def test_{number}(self):", f"        assert rows() == {sorted(found)}"]
            lines += [f"        {line}" for line in self.ends(self.some(SYNC))]
        return lines

    def module(self, number: int) -> None:
        before, lines, arguments = [*self.rows], [], ""
        kind = self.random.choice(["plain", "seed", "set-up", "set-up and seed"])
        if "set-up" in kind:
            lines += [
                "@pytest.fixture(scope='module')",
                "def django_db_setup(django_db_setup, django_db_blocker):",
                "    with django_db_blocker.unblock():",
                f"        Group.objects.create(name='module {number}')",
            ]
            self.rows.append(f"module {number}")
        if "seed" in kind:
            lines += ["@seed", "def seeded():", "    return Group.objects.create(name='seeded')"]
            self.rows.append("seeded")
            arguments = self.random.choice(["", "seeded"])
        for index in range(self.random.randrange(2, 6)):
            commits = "seed" not in kind and self.random.random() < 0.4
            if self.random.random() < 0.3:
                lines += self.case(f"Test{index}", commits)
            else:
                lines += self.function(f"test_{index}", commits, arguments)
        self.files[f"test_{number}"] = "\n".join([HEAD, *lines])
        self.rows = before

    def make(self) -> None:
        if self.random.random() < 0.7:
            self.files["conftest"] = "\n".join(
                [
                    HEAD,
                    "@pytest.fixture(scope='session')",
                    "def django_db_setup(django_db_setup, django_db_blocker):",
                    "    with django_db_blocker.unblock():",
                    "        Group.objects.create(name='a')",
                ]
            )
            self.rows.append("a")
        for number in range(4):
            self.module(number)


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(n, marks=pytest.mark.slow) for n in range(8, 100))]
)
def test_a_random_suite_finds_its_rows(project, run, seed):
    suite = Suite(Random(seed))
    suite.make()
    project.makepyfile(**suite.files)

    result = run("--isolation=warn")

    outcomes = result.parseoutcomes()
    outcomes.pop("warnings", None)
    assert outcomes == suite.outcomes, str(result.stdout)
    assert "this part failed" not in str(result.stdout)
