"""Code that raises on one interleaving: a finding in every face, with its line."""

import json
from xml.etree import ElementTree

import numpy  # noqa: F401  loaded once in a process, and pytester forgets what it loads
import pytest

import wavecheck as wc
import wavecheck.reports.regressions
from wavecheck.reports.cli import run_command
from wavecheck.reports.export import junit, sarif
from wavecheck.reports.verdicts import hash_seeds

pytest_plugins = ["pytester"]

RULE = """\
from wavecheck.scenarios.wd.model import WDClaiming


class Raises(WDClaiming):
    async def dispatch(self):
        for number in await self.store.pending():
            if number not in await self.store.pending():
                raise RuntimeError("somebody else has it")
            await self.store.claim_and_send(number)
"""
LINE = 8


@pytest.fixture
def rule(tmp_path, monkeypatch):
    """A rule in a file of the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raises.py").write_text(RULE)
    return "raises.py:Raises"


@pytest.fixture(params=["check", "prove"])
def result(request, rule):
    """What a search and a proof find."""
    ask = getattr(wc, request.param)
    limits = {"executions": 200} if request.param == "check" else {}
    found = ask("wd", rule, **limits)
    assert "no_error" in found.schedules
    return found


def test_junit_tells_the_error_as_a_failure_with_its_line(result):
    """One test case for no_error; its text has the error and the file."""
    root = ElementTree.fromstring(junit(result).encode())
    failure = root.find(".//testcase[@name='no_error']/failure")
    assert "raised RuntimeError('somebody else has it')" in failure.get("message")
    assert f"raises.py:{LINE}" in failure.get("message")


def test_sarif_places_the_error_at_the_line_that_raises(result):
    """The result's own location is the user's file and line."""
    (run,) = json.loads(sarif(result))["runs"]
    (found,) = [one for one in run["results"] if one["ruleId"] == "no_error"]
    place = found["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "raises.py"
    assert place["region"]["startLine"] == LINE
    assert run["properties"]["verdicts"]["no_error"] == "VIOLATED"


def test_the_plugin_fails_with_the_error_and_keeps_its_schedule(pytester):
    """The test fails with the line; the kept schedule violates at once next time."""
    pytester.makepyfile(
        raises=RULE,
        test_it=(
            "from raises import Raises\n\n\ndef test_it(wavecheck):\n"
            "    wavecheck.check(coordinator=Raises, scenario='wd', executions=100,"
            " hash_seeds=False, properties=['no_error'])\n"
        ),
    )
    quiet = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "default")
    result = pytester.runpytest_inprocess(*quiet)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *AssertionError: no_error violated*", f"*raises.py:{LINE}*"]
    )
    kept = pytester.path / "wavecheck_schedules" / "wd-Raises-no_error.json"
    assert kept.exists()
    again = pytester.runpytest_inprocess(*quiet)
    again.assert_outcomes(failed=1)


def test_a_proof_is_compared_under_another_hash_seed(tmp_path, monkeypatch, capsys):
    """A rule that asks for the seed is refused after a proof, with the number."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hash_seeds, "PROOF_SECONDS_MIN", 0)
    (tmp_path / "asks.py").write_text(
        "import os\n\nfrom wavecheck.scenarios.wd.model import WDClaiming\n\n\n"
        "class Asks(WDClaiming):\n"
        "    async def dispatch(self):\n"
        "        if os.environ.get('PYTHONHASHSEED') == '1':\n"
        "            await self.store.pending()\n"
        "        await super().dispatch()\n"
    )
    status = run_command(["prove", "wd", "-c", "asks.py:Asks"])
    assert status == 3
    errors = capsys.readouterr().err
    assert "with PYTHONHASHSEED=1 the same schedule runs differently" in errors
