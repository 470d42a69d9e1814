"""Files and folders that a test renames, cannot read, or does not itself write: no byte of them is lost."""

import os
import re
import textwrap

import pytest

# A folder and a file that were there before the tests, and all that is there.
HEAD = """
import shutil, tempfile

for path, text in {"data/f": "old", "data/g": "old", "data/sub/s": "deep", "other/o": "other"}.items():
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
outside = Path(tempfile.mkdtemp(dir=Path.cwd().parent))
(outside / "kept.csv").write_text("kept")

def tree():
    found = [path for path in Path().rglob("*") if not path.parts[0].startswith(("__pycache__", "basetemp"))]
    return {str(path): path.is_file() and path.read_text() for path in found if path.name != "output"}

then = tree()
unspoilt = lambda: tree() == then and [path.read_text() for path in outside.iterdir()] == ["kept"]
"""


@pytest.mark.parametrize(
    ("polluter", "lines"),
    [
        ("os.rename('data', 'data.bak')", ["data (renamed to data.bak)"]),
        ("shutil.move('data', 'other')", ["data (renamed to other/data)"]),
        ("shutil.move('data', 'x/data')", ["data (renamed to x/data)", "x (created)"]),
        ("Path('data').rename('b').rename('c')", ["data (renamed to c)"]),
        ("Path('data/f').rename('f')", ["data/f (renamed to f)"]),
        ("os.replace('data/f', 'data/g')", ["data/f (renamed to data/g)", "data/g (changed)"]),
        ("os.mkdir('x'); os.rename('data', 'x/data')", ["data (renamed to x/data)", "x (created)"]),
        (
            "Path('data/f').write_text('new'); os.rename('data', 'b')",
            ["data (renamed to b)", "data/f (changed)"],
        ),
        (
            "os.rename('data', 'b'); os.rename('b/sub', 'sub'); Path('sub/s').write_text('new')",
            ["data/sub (renamed to sub)", "data (renamed to b)", "data/sub/s (changed)"],
        ),
        (
            "os.rename('data', 'b'); os.remove('b/f'); Path('b/n').write_text('new')",
            ["data (renamed to b)", "data/f (deleted)", "data/n (created)"],
        ),
        (
            "os.rename('data', 'b'); os.mkdir('data'); Path('data/f').write_text('new')",
            ["data (renamed to b)"],
        ),
        (
            "os.rename('data', 'b'); os.mkdir('data'); os.rename('b', 'data/b');os.rename('other', 'data/o')",
            ["other (renamed to data/o)", "data (renamed to data/b)"],
        ),
        (
            "os.rename('data', 't'); os.rename('other', 'data'); os.rename('t', 'other')",
            ["data (renamed to other)"],
        ),
        (
            "os.rename('data/sub', 't'); [one.unlink() for one in Path('data').iterdir()]; os.rmdir('data');"
            "os.rename('t', 'data')",
            ["data/sub (renamed to data)", "data/f (deleted)", "data/g (deleted)"],
        ),
        (
            "os.mkdir('x'); os.rename('other', 'x/o'); os.rename('x', 'y')",
            ["other (renamed to y/o)", "y (created)"],
        ),
        ("os.rename('data/f', 'data/f.1'); Path('data/f').touch()", ["data/f (renamed to data/f.1)"]),
        ("os.rename(outside / 'kept.csv', 'arrived')", ["arrived (created)"]),
        (
            "os.rename(outside / 'kept.csv', 'data/f')",
            ["kept.csv (renamed to data/f)", "data/f (changed)"],
        ),
        ("os.mkdir('x'); os.rename('x', 'y')", ["y (created)"]),
        (
            "with pytest.raises(OSError): shutil.move('missing', 'x/y')\n"
            "with pytest.raises(OSError): os.rmdir('x')\n"
            "os.makedirs('x/y')",
            ["x/y (created)", "x (created)"],
        ),
        (
            "os.rename('data/f', 'f'); Path('new').touch(); os.replace('new', 'f')",
            ["data/f (deleted)", "f (created)"],
        ),
    ],
)
def test_what_is_renamed_is_renamed_back(leaks, polluter, lines):
    found = leaks(polluter, "unspoilt()", head=HEAD)

    names = [re.sub(r"^files:(/\S*/)?", "", line.partition(": ")[0]) for line in found]
    assert sorted(names) == sorted(lines)


@pytest.mark.parametrize(
    "code",
    [
        "Path('data').rename('b').rename('data')",
        "Path('data').rename('b').rename('c').rename('data')",
        "Path('data/f').rename('b').rename('data/f')",
        """
        os.rename('data', 'b')
        os.mkdir('data')
        Path('data/f').write_text('new')
        Path('b/f').write_text('old')
        shutil.rmtree('data')
        os.rename('b', 'data')
        """,
        "os.mkdir('x'); os.rename('x', 'y'); os.rmdir('y')",
        "shutil.move(shutil.move(outside / 'kept.csv', 'arrived'), outside / 'kept.csv')",
        "there = f'/var/tmp/{outside.name}'; shutil.move(outside, there); shutil.move(there, outside)",
    ],
)
def test_what_a_test_renames_back_is_innocent(leaks, code):
    assert leaks(code, "unspoilt()", head=HEAD) == []


def test_a_fixture_that_renames_and_renames_back_is_innocent(project, run):
    code = """
        @pytest.fixture(scope="module", autouse=True)
        def no_data():
            os.rename("data", "data.bak")
            yield
            os.rename("data.bak", "data")

        @pytest.fixture
        def inside(request):
            request.getfixturevalue("later")

        @pytest.fixture(scope="module")
        def later():
            os.rename("other", "other.bak")
            yield
            os.rename("other.bak", "other")

        def test_one(inside):
            assert not Path("data").exists()

        def test_two():
            assert not Path("other").exists()
            Path("other.bak/o").write_text("spoilt")

        def test_three():
            assert Path("other.bak/o").read_text() == "other"
        """
    modules = "import os, pytest\nfrom pathlib import Path\n"
    project.makepyfile(test_it=modules + HEAD + textwrap.dedent(code))

    result = run()

    result.assert_outcomes(passed=3, errors=1)
    assert "files:other.bak/o (changed)" in str(result.stdout)


@pytest.mark.parametrize("is_made_in_this_run", [False, True])
def test_a_folder_that_is_moved_out_of_the_project(project, leaks, is_made_in_this_run):
    """A subprocess may have made it in this run: then it is tidied away."""
    make = "os.makedirs('build/sub')"
    if not is_made_in_this_run:
        (project.path / "build" / "sub").mkdir(parents=True)
        make = "'build'"
    code = f"subprocess.run([sys.executable, '-c', \"import os; {make}\"]); shutil.move('build', tmp_path)"

    found = leaks(
        code, f"Path('build').exists() is {not is_made_in_this_run}", head=HEAD, fixtures="tmp_path"
    )

    assert len(found) == (not is_made_in_this_run)


def test_a_folder_is_put_back_each_time(project, run):
    (project.path / "data").mkdir()
    (project.path / "data" / "f").write_text("old")
    project.makepyfile(
        """
        import os, pytest

        def test_polluter_inside():
            open("data/new", "w").close()

        @pytest.mark.parametrize("number", range(3))
        def test_polluter(tmp_path, number):
            os.rename("data", tmp_path / "data")
            (tmp_path / "data" / "f").write_text("spoilt")

        @pytest.mark.parametrize("number", range(2))
        def test_polluter_of_a_file(tmp_path, number):
            os.rename("data/f", tmp_path / "f")
        """
    )

    run().assert_outcomes(passed=6, errors=6)
    assert [path.read_text() for path in (project.path / "data").iterdir()] == ["old"]


def test_a_kept_name_stays_renamed(leaks):
    options = ("-o", "isolation_keep=files:*data")
    code = "os.mkdir('x'); os.rename('data', 'x/data')"

    (line,) = leaks(code, "Path('x/data/f').read_text() == 'old'", head=HEAD, options=options)

    assert line.startswith("files:x (created)")


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no second disk")
@pytest.mark.parametrize("name", ["folder", "file"])
def test_what_is_moved_from_another_disk_is_moved_back(leaks, name):
    """It is copied and then removed, so that its copy is the only one."""
    head = """
    import shutil, tempfile
    far = Path(tempfile.mkdtemp(dir="/dev/shm"))
    (far / "folder").mkdir()
    [(far / name).write_text("kept") for name in ("file", "folder/file")]
    left = lambda: [(far / name).read_text() for name in ("file", "folder/file")] + (shutil.rmtree(far) or [])
    """
    victim = f"left() == ['kept', 'kept'] and not Path({name!r}).exists()"

    (line,) = leaks(f"shutil.move(far / {name!r}, Path.cwd())", victim, head=head)

    assert line.startswith(f"files:{name} (created)")


@pytest.mark.parametrize(
    "call",
    [
        "os.mkdir('new', dir_fd=folder)",
        "os.remove('f', dir_fd=folder)",
        "os.rename('f', 'new', src_dir_fd=folder, dst_dir_fd=folder)",
        "os.link('f', 'new', src_dir_fd=folder, dst_dir_fd=folder)",
        "os.symlink('f', 'new', dir_fd=folder)",
    ],
)
def test_a_name_in_an_open_folder_is_no_name_in_the_working_directory(leaks, call):
    """What a subprocess does there meanwhile is not the test's doing."""
    code = f"""
    (tmp_path / "f").touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    {call}
    os.close(folder)
    subprocess.run("mkdir -p new && rm -f f", shell=True, check=True)
    """

    assert leaks(code, "Path('new').is_dir()", head="Path('f').touch()", fixtures="tmp_path") == []


@pytest.mark.parametrize(
    "code",
    [
        "os.truncate('large', 0)",
        "os.rename('large', 'tiny'); os.rename('tiny', 'large')",
        "Path('link').unlink(); os.symlink('/proc/self/mem', 'link')",
        "os.mkfifo('pipe'); os.remove('pipe')",
        """
        os.chdir(tmp_path)
        tmp_path.rmdir()
        with pytest.raises(FileNotFoundError):
            open("a", "w")
        os.chdir(root)
        """,
    ],
    ids=["too large", "too large, renamed", "cannot be read", "pipe", "no working directory"],
)
def test_a_file_that_cannot_be_read_costs_no_test(leaks, code):
    head = """
    root = os.getcwd()
    Path("large").touch()
    os.truncate("large", 65 * 2**20)
    os.symlink("/proc/self/mem", "link")  # Reading it fails, for root as well.
    """

    assert leaks(code, head=head, fixtures="tmp_path") == []


def test_a_large_file_that_is_renamed_is_not_lost(leaks):
    head = "Path('large').touch(); os.truncate('large', 65 * 2**20)"

    (line,) = leaks("os.rename('large', 'b')", "os.path.getsize('large') == 65 * 2**20", head=head)

    assert line.startswith("files:large (renamed to b)")


def test_a_fake_file_system_hides_no_real_file(leaks):
    """pyfakefs puts its own functions in place of these, under which real files are not there."""
    code = """
    import sqlite3
    with (
        mock.patch("os.path.lexists", return_value=False),
        mock.patch("os.path.isfile", return_value=False),
        mock.patch("os.lstat", side_effect=FileNotFoundError),
        mock.patch("os.stat", side_effect=FileNotFoundError),
    ):
        sqlite3.connect("lookup.sqlite3").close()
    """

    assert leaks(code, "Path('lookup.sqlite3').exists()", head="Path('lookup.sqlite3').touch()") == []


@pytest.mark.parametrize(
    "handler",
    [
        "logging.FileHandler('app.log', delay=True)",
        "logging.handlers.RotatingFileHandler('app.log', delay=True, maxBytes=9, backupCount=2)",
        "logging.handlers.WatchedFileHandler('app.log', delay=True)",
    ],
)
def test_the_log_that_logging_opens_is_productions(leaks, handler):
    head = f"import logging.handlers; handler = {handler}\nlogging.getLogger('shop').addHandler(handler)"
    code = "for number in range(3): logging.getLogger('shop').warning('an order')"

    assert leaks(code, "Path('app.log').exists(), handler.close()", head=head) == []


def test_the_log_of_a_handler_that_a_test_makes_is_named(leaks):
    code = "logging.handlers.WatchedFileHandler('app.log').close()"

    (line,) = leaks(code, "not Path('app.log').exists()", head="import logging.handlers")

    assert line.startswith("files:app.log (created)")


def test_a_file_that_a_library_keeps_beside_its_code_is_innocent(leaks):
    """A parser writes its tables there once."""
    table = ".venv/lib/site-packages/parser/tables.pickle"
    head = f"Path({table!r}).parent.mkdir(parents=True)"

    assert leaks(f"Path({table!r}).touch()", f"Path({table!r}).exists()", head=head) == []


def test_a_folder_that_is_made_anew_is_not_removed(leaks):
    head = "Path('media').mkdir()"

    assert leaks("os.rmdir('media'); os.mkdir('media')", "Path('media').is_dir()", head=head) == []
