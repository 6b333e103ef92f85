"""The pytest plugin, run by pytest on small test files."""

import json

import numpy  # noqa: F401  loaded once in a process, and pytester forgets what it loads
import pytest

import wavecheck.reports.regressions  # noqa: F401  loaded once for all runs in this process
from wavecheck.reports.cli import run_command

pytest_plugins = ["pytester"]

RULES = """
from wavecheck.scenarios.wd.model import WDClaiming, WDProgressive, WDStalling


class Stalls(WDStalling):
    pass


class Claims(WDClaiming):
    pass


class Remembers(WDClaiming):
    async def dispatch(self):
        self.calls = 1
        await super().dispatch()


class Fixed(WDStalling):
    async def dispatch(self):
        store = self.store
        if await store.wave_is_processing():
            if await store.has_batches("pending"):
                for number in await store.pending():
                    await store.claim_and_send(number)
                return
        await super().dispatch()
"""
SMALL = 'scenario="wd", executions=60, hash_seeds=False'
# Hypothesis' own plugin would be imported anew, for seconds, by every run in here.
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "default")
STORED = "wavecheck_schedules/wd-Stalls-no_stranded_batch.json"


@pytest.fixture
def suite(pytester):
    """Write rules and a test file; return the function that runs pytest on it."""
    pytester.makepyfile(rules=RULES)

    def run(body, *options):
        pytester.makepyfile(test_it=f"import pytest\nfrom rules import *\n\n{body}\n")
        # Afterwards pytester forgets the modules of this run, so the rules are read
        # afresh; our own are loaded above, and stay.
        return pytester.runpytest_inprocess(*QUIET, *options)

    return run


def call(rule, *, options=SMALL):
    """A test that uses the fixture."""
    return (
        f"def test_it(wavecheck):\n    wavecheck.check(coordinator={rule}, {options})"
    )


def marked(rule, *, options=SMALL):
    """A test that is marked."""
    mark = f"@pytest.mark.wavecheck(coordinator={rule}, {options})"
    return f"{mark}\ndef test_it():\n    pass"


ONE = SMALL + ', properties=["no_stranded_batch"]'


@pytest.mark.parametrize("write", [call, marked])
def test_a_rule_that_holds_passes_and_keeps_nothing(suite, pytester, write):
    """Fixture and marker: one passed, no folder."""
    suite(write("Claims")).assert_outcomes(passed=1)
    assert not (pytester.path / "wavecheck_schedules").exists()


@pytest.mark.parametrize("write", [call, marked])
def test_a_violation_fails_with_the_explanation_and_the_command(suite, pytester, write):
    """Verdict, cause, point of no return, steps, the line that reproduces it."""
    result = suite(write("Stalls", options=ONE))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *AssertionError: no_stranded_batch violated",
            "*rules.py:Stalls in wd*",
            "*no_stranded_batch*VIOLATED*pending for ever*9 steps once shrunk*",
            "*Nobody calls again: at step 8*",
            "*Point of no return: step 8*",
            "*step*listener-*what changed*",
            "*VIOLATED*",
            f"*reproduce: wavecheck replay {STORED}",
        ]
    )
    assert "sim/search" not in result.stdout.str(), "a traceback of our own"
    document = json.loads((pytester.path / STORED).read_text())
    assert document["coordinator"] == "rules.py:Stalls"
    assert len(document["steps"]) == 9


def test_the_command_of_the_message_reproduces_it(suite, capsys):
    """`wavecheck replay FILE` in the same folder: status 1 and the same violation."""
    suite(call("Stalls", options=ONE))
    assert run_command(["replay", STORED]) == 1
    assert "VIOLATED no_stranded_batch at step 9: " in capsys.readouterr().out


def test_a_kept_schedule_that_still_violates_fails_at_once(suite):
    """The second run replays it and does not search: no verdict table."""
    suite(call("Stalls", options=ONE))
    result = suite(call("Stalls", options=ONE))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"E*kept schedule {STORED}: it still violates its property:"
            " no_stranded_batch",
            "*Nobody calls again: *",
            f"*reproduce: wavecheck replay {STORED}",
        ]
    )
    assert "once shrunk" not in result.stdout.str()


def repair(pytester, name):
    """Let a kept schedule of Stalls be one of another rule."""
    old = pytester.path / STORED
    old.rename(pytester.path / STORED.replace("Stalls", name))


def test_a_kept_schedule_of_a_fixed_rule_is_outdated(suite, pytester):
    """It passes, with a warning that says what to do."""
    suite(call("Stalls", options=ONE))
    repair(pytester, "Fixed")
    result = suite(call("Fixed", options=ONE))
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*OutdatedScheduleWarning: *wd-Fixed-no_stranded_batch.json is outdated:"
            " it no longer replays; as far as it fits, it violates nothing",
            "*next: if the coordinator was repaired, delete it*",
        ]
    )


def test_a_kept_schedule_that_fails_in_other_steps_still_fails(suite, pytester):
    """Its steps are no longer those of the rule, but following it strands a batch."""
    suite(call("Stalls", options=ONE))
    path = pytester.path / STORED
    document = json.loads(path.read_text())
    document["steps"][1]["result"] = True
    path.write_text(json.dumps(document))
    result = suite(call("Stalls", options=ONE))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*kept schedule*: followed as far as it fits, it still violates*"]
    )


def test_a_kept_schedule_that_cannot_be_read_is_reported(suite, pytester):
    """Another version, or cut off: a warning with the reason; the search goes on."""
    folder = pytester.mkdir("wavecheck_schedules")
    (folder / "wd-Claims-x.json").write_text('{"kind": "wavecheck schedule", "fo')
    result = suite(call("Claims"))
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*wd-Claims-x.json, line 1, column *not JSON*"])


@pytest.mark.parametrize(
    "options",
    [
        SMALL + ', properties=["no_double_dispatch"]',
        ONE + ', settings={"retrigger": True}',
    ],
)
def test_a_kept_schedule_of_another_search_is_left_alone(suite, options):
    """Another property, or another setting: this test could not have found it."""
    suite(call("Stalls", options=ONE))
    assert "kept schedule" not in suite(call("Stalls", options=options)).stdout.str()


def test_the_ini_option_names_the_folder(suite, pytester):
    """Relative to the root of the project."""
    pytester.makeini("[pytest]\nwavecheck_schedules = kept/here\n")
    suite(call("Stalls", options=ONE)).assert_outcomes(failed=1)
    assert (pytester.path / "kept/here/wd-Stalls-no_stranded_batch.json").is_file()


def test_nondeterminism_is_an_error_with_its_text(suite):
    """Class, attribute and cause; nothing is kept."""
    result = suite(call("Remembers"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*NondeterminismError: Remembers keeps state on its instance: *'calls'"]
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('scenario="w"', "*InvalidScenario: unknown scenario 'w'*"),
        (SMALL + ', strategy="x"', "*InvalidScenario: unknown strategy 'x'*"),
        ('scenario="wd", executions=0', "*InvalidScenario: budget in executions is 0*"),
        (SMALL + ', settings={"listeners": 0}', "*InvalidScenario: *'listeners'*"),
        (SMALL + ", bogus=1", "*TypeError: *bogus*"),
    ],
)
def test_a_wrong_option_is_an_error_with_its_text(suite, options, expected):
    """The text of the error, and no violation."""
    result = suite(call("Claims", options=options))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([expected])


def test_a_class_inside_a_function_is_refused(suite):
    """No other process could find it."""
    result = suite(
        "def test_it(wavecheck):\n"
        "    class Inner(Claims):\n"
        "        pass\n"
        f"    wavecheck.check(coordinator=Inner, {SMALL})"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*CoordinatorError: *cannot be found by name*"])


def test_the_fixture_takes_its_defaults_from_the_marker(suite):
    """The marker names the search, the test looks at the result."""
    suite(
        f"@pytest.mark.wavecheck({SMALL})\n"
        "def test_it(wavecheck):\n"
        "    result = wavecheck.check(coordinator=Claims, executions=7)\n"
        "    assert result.searched.statistics.executions_count == 7\n"
    ).assert_outcomes(passed=1)


def test_an_untested_property_fails_where_it_is_required(suite):
    """One job of one parent never puts a property at risk; --require is a failure."""
    options = (
        'scenario="import-job", executions=20, hash_seeds=False,'
        ' settings={"parents": 1, "workers": 1}, coordinator="claiming"'
    )
    body = "def test_it(wavecheck):\n    result = wavecheck.check({})\n"
    suite(body.format(options)).assert_outcomes(passed=1)
    result = suite(
        "def test_it(wavecheck, monkeypatch):\n"
        "    from wavecheck.scenarios.verdicts.result import CheckResult\n"
        "    monkeypatch.setattr(CheckResult, 'not_tested', lambda self: ('some',))\n"
        f"    wavecheck.check({options}, require=True)\n"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*AssertionError: NOT TESTED: never at risk: some"])


def test_the_log_lines_of_thousands_of_executions_are_not_shown(suite):
    """A failing test shows the explanation, not what the rules logged."""
    result = suite(
        "def test_it(wavecheck):\n"
        '    wavecheck.check(scenario="import-job", coordinator="stalling",'
        ' properties=["no_double_dispatch"], executions=20, hash_seeds=False)'
    )
    result.assert_outcomes(failed=1)
    assert "Captured log" not in result.stdout.str()


def test_a_regression_test_is_written_and_runs(suite, pytester):
    """`wavecheck explain FILE --test OUT`: fails on the rule, passes once it is fixed.

    The schedule's own words cannot become code.
    """
    suite(call("Stalls", options=ONE))
    path = pytester.path / STORED
    document = json.loads(path.read_text())
    document["message"] = 'x"""\nimport os; os.abort()\n"""\u2028import os'
    path.write_text(json.dumps(document))
    assert run_command(["explain", STORED, "--test", "test_gen.py"]) == 1
    text = (pytester.path / "test_gen.py").read_text()
    assert f'SCHEDULE = Path(__file__).parent / "{STORED}"' in text
    assert "def test_stalls_keeps_no_stranded_batch() -> None:" in text
    compile(text, "test_gen.py", "exec")
    assert [line for line in text.splitlines() if "os.abort" in line] == [
        '    # no_stranded_batch: x""" import os; os.abort() """ import os'
    ]
    result = pytester.runpytest_inprocess("test_gen.py", *QUIET)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*it still violates its property*"])
    rules = RULES.replace("class Stalls(WDStalling)", "class Stalls(WDClaiming)")
    (pytester.path / "rules.py").write_text(rules)
    pytester.runpytest_inprocess("test_gen.py", *QUIET).assert_outcomes(passed=1)


# Which kept schedule --------------------------------------------------------------


def test_two_classes_of_one_name_keep_a_schedule_each(suite, pytester):
    """A second rule called Stalls is neither judged by the first one's, nor over it."""
    pytester.makepyfile(
        other="from wavecheck.scenarios.wd.model import WDStalling\n\n\n"
        "class Stalls(WDStalling):\n    pass\n"
    )
    suite(call("Stalls")).assert_outcomes(failed=1)
    body = f"import other\n\n\n{call('other.Stalls')}"
    suite(body).assert_outcomes(failed=1)
    kept = sorted(pytester.path.glob("wavecheck_schedules/*.json"))
    coordinators = {json.loads(one.read_text())["coordinator"] for one in kept}
    assert len(coordinators) == 2


def test_the_shortest_kept_schedule_is_told_first(suite, pytester):
    """Whatever their files are called."""
    suite(call("Stalls", options=ONE)).assert_outcomes(failed=1)
    (short,) = pytester.path.glob("wavecheck_schedules/*.json")
    (short.parent / "wd-Stalls-z.json").write_bytes(short.read_bytes())
    document = json.loads(short.read_text())
    document["steps"] *= 2
    short.write_text(json.dumps(document))
    result = suite(call("Stalls", options=ONE))
    result.stdout.fnmatch_lines(["*kept schedule*wd-Stalls-z.json: it still*"])
