"""Finding a coordinator by name, module or path, and every way to fail at it."""

import sys

import pytest

from wavecheck import find_scenario, load_coordinator
from wavecheck.coordinator import VARIANTS, Progressive
from wavecheck.sim.errors import CoordinatorError, InvalidScenario

RIGHT = """\
class Mine:
    def __init__(self, db):
        self.db = db

    async def check_and_trigger_next_wave(self, job_id):
        await self.db.open_waves(job_id)

    async def dispatch_wave(self, job_id, wave_number):
        return 0
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Write a file and load its class `Mine` by path."""
    monkeypatch.chdir(tmp_path)
    before = dict(sys.modules)

    def run(text=RIGHT, name="rules.py", class_name="Mine"):
        (tmp_path / name).write_text(text)
        return load_coordinator(find_scenario("incident"), f"{name}:{class_name}")

    yield run
    for name in set(sys.modules) - set(before):
        if name.startswith(("rules", "helper_of_rules")):
            del sys.modules[name]


@pytest.fixture
def failure(load):
    """Load a file that must be refused; return the message."""

    def run(*args, **keywords):
        with pytest.raises(CoordinatorError) as refused:
            load(*args, **keywords)
        return str(refused.value)

    return run


# What is found ----------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_built_in_is_found_by_name(name):
    """The name of a variant is its class, in both scenarios."""
    for scenario in ("incident", "import-job"):
        assert load_coordinator(find_scenario(scenario), name) is VARIANTS[name]


def test_the_reference_model_has_its_own_rules():
    """`stalling` of wd is another class than `stalling` of the incident."""
    found = load_coordinator(find_scenario("wd"), "stalling")
    assert found is not VARIANTS["stalling"]


def test_a_class_is_found_by_module():
    """package.module:Class."""
    name = "wavecheck.coordinator.progressive:Progressive"
    assert load_coordinator(find_scenario("incident"), name) is Progressive


def test_a_module_in_the_working_folder_is_found(tmp_path, monkeypatch, load):
    """module:Class looks in the current folder, and leaves sys.path as it was."""
    (tmp_path / "rules_nearby.py").write_text(RIGHT)
    before = list(sys.path)
    found = load_coordinator(find_scenario("incident"), "rules_nearby:Mine")
    assert found.__name__ == "Mine"
    assert sys.path == before


def test_a_class_is_found_by_path(load):
    """path/to/file.py:Class; sys.path is as it was."""
    before = list(sys.path)
    found = load()
    assert found.__name__ == "Mine"
    assert sys.path == before


def test_a_file_sees_the_files_beside_it(load, tmp_path):
    """Its imports work as when Python runs the file, from another folder too."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "helper_of_rules.py").write_text("ANSWER = 0\n")
    text = RIGHT.replace("return 0", "return helper_of_rules.ANSWER")
    assert load(f"import helper_of_rules\n{text}", name="elsewhere/rules.py")


def test_a_file_may_hold_dataclasses_with_postponed_annotations(load):
    """Whatever imports as a module imports by path."""
    text = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Note:\n"
        "    text: str\n"
    )
    assert load(text + RIGHT).__name__ == "Mine"


def test_a_file_named_like_a_module_of_ours_harms_nothing(load):
    """A user's `wavecheck.py` does not replace our package."""
    ours = sys.modules["wavecheck"]
    assert load(name="wavecheck.py").__name__ == "Mine"
    assert sys.modules["wavecheck"] is ours


def test_two_files_of_one_name_are_two_modules(load, tmp_path):
    """Files of the same name in two folders do not hide each other."""
    (tmp_path / "other").mkdir()
    one = load(name="rules.py")
    two = load(RIGHT.replace("return 0", "return 1"), name="other/rules.py")
    assert one is not two
    assert load(name="rules.py") is not two


# What is refused --------------------------------------------------------------


def test_an_unknown_name_is_answered_with_the_nearest():
    """All names, the nearest one, and how to give one's own."""
    with pytest.raises(InvalidScenario) as refused:
        load_coordinator(find_scenario("incident"), "stallin")
    assert str(refused.value) == (
        "unknown coordinator 'stallin': did you mean 'stalling'?"
        f" known: {', '.join(VARIANTS)}\n"
        "your own: package.module:Class or path/to/file.py:Class"
    )


def test_a_missing_file_is_told():
    """No such file, and what to check."""
    with pytest.raises(CoordinatorError) as refused:
        load_coordinator(find_scenario("incident"), "nowhere/rules.py:Mine")
    assert str(refused.value) == (
        "nowhere/rules.py: no such file\nnext: check the path before ':'"
    )


def test_a_syntax_error_is_told_with_file_and_line(failure):
    """The line that does not parse."""
    message = failure("x = 1\ndef broken(:\n    pass\n")
    assert message.startswith("rules.py does not import: SyntaxError: ")
    place = next(line for line in message.splitlines() if line.startswith("  at  "))
    assert place.endswith("rules.py:2: def broken(:")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "from wavecheck.coordinator import Nothing",
            "ImportError: cannot import name",
        ),
        ("raise SystemExit(0)", "SystemExit: 0"),
    ],
)
def test_an_error_at_import_is_told_with_its_line(failure, line, error):
    """Type, text, file and line of the user's code; also for a file that exits."""
    message = failure(f"x = 1\n\n{line}\n{RIGHT}")
    assert message.startswith(f"rules.py does not import: {error}")
    place = next(text for text in message.splitlines() if text.startswith("  at  "))
    assert place.endswith(f"rules.py:3: {line}")


def test_an_error_in_an_imported_file_is_told_with_that_file(failure, tmp_path):
    """The innermost line of the user's code, not the import statement."""
    (tmp_path / "helper_of_rules.py").write_text("\n\nraise ValueError('deep')\n")
    message = failure("import helper_of_rules\n")
    assert "ValueError: deep" in message
    assert "helper_of_rules.py:3: raise ValueError('deep')" in message


def test_a_module_that_does_not_exist_is_told():
    """The name as it was given, and the error."""
    with pytest.raises(CoordinatorError) as refused:
        load_coordinator(find_scenario("incident"), "no_such_package.rules:Mine")
    assert str(refused.value).startswith(
        "no_such_package.rules does not import: ModuleNotFoundError: "
    )


@pytest.mark.parametrize("name", [":Mine", "..rules:Mine", "a..b:Mine"])
def test_a_name_that_is_no_module_name_is_refused(name):
    """Odd names give a message, not a crash."""
    with pytest.raises(CoordinatorError, match="does not import"):
        load_coordinator(find_scenario("incident"), name)


def test_a_missing_class_is_told_with_the_classes_there_are(failure):
    """What the file does have."""
    message = failure(f"{RIGHT}\n\nclass Other:\n    pass\n", class_name="Nine")
    assert message == "rules.py has no class 'Nine'; it has: Mine, Other"


def test_a_file_without_a_class_says_so(failure):
    """Imported classes do not count."""
    message = failure("from pathlib import Path\nMine = 3\n")
    assert message == "rules.py has no class 'Mine'; it has no class"


@pytest.mark.parametrize("method", ["check_and_trigger_next_wave", "dispatch_wave"])
def test_a_missing_method_is_told_with_file_and_line(failure, method):
    """Where the class is, what it lacks, and what is expected."""
    message = failure("\n" + RIGHT.replace(method, "something_else"))
    assert message.endswith(
        f"rules.py:2: rules.py:Mine has no method {method!r}\n"
        "  expected  async methods: check_and_trigger_next_wave, dispatch_wave"
    )


def test_a_plain_method_is_told_with_file_and_line(failure):
    """A method that is not async cannot be awaited."""
    message = failure(RIGHT.replace("async def dispatch_wave", "def dispatch_wave"))
    assert message.endswith(
        "rules.py:1: rules.py:Mine.dispatch_wave is not a coroutine method\n"
        "  expected  async def dispatch_wave(...)"
    )


@pytest.mark.parametrize("parameters", ["self, db, config", "self"])
def test_a_constructor_that_needs_more_or_less_is_refused(failure, parameters):
    """It must be callable with the database alone."""
    message = failure(RIGHT.replace("self, db", parameters))
    lines = message.splitlines()
    assert (
        "rules.py:1: rules.py:Mine cannot be made with the database alone" in (lines[0])
    )
    assert lines[1] == "  expected  def __init__(self, db)"


def test_defaults_in_the_constructor_are_fine(load):
    """More parameters with defaults are nobody's business."""
    assert load(RIGHT.replace("self, db", "self, db, size=10"))


def test_a_file_is_loaded_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    """Its own error type stays one class, until the file says something else."""
    file = tmp_path / "rule.py"
    text = """
class Refused(Exception):
    pass

class Rule:
    def __init__(self, db):
        self.db = db

    async def check_and_trigger_next_wave(self, job_id):
        raise Refused

    async def dispatch_wave(self, job_id, wave_number):
        return 0
"""
    file.write_text(text)
    scenario = find_scenario("import-job")
    first = load_coordinator(scenario, f"{file}:Rule")
    assert load_coordinator(scenario, f"{file}:Rule") is first
    file.write_text(f"{text}\n\nCHANGED = True\n")
    assert load_coordinator(scenario, f"{file}:Rule") is not first
