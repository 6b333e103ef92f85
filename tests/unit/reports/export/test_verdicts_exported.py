"""Verdicts for CI: JUnit, SARIF and Markdown keep the rules of their formats."""

import json
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

import wavecheck as wc
from wavecheck.reports.explanation.text import escaped_markdown
from wavecheck.reports.export import junit, sarif, summary
from wavecheck.sim.verdict import Outcome

SCHEMA = json.loads((Path(__file__).parent / "sarif_subset.json").read_text())


@pytest.fixture(scope="module")
def proved():
    """A proof: every property holds."""
    return wc.prove("wd", "claiming")


# JUnit ----------------------------------------------------------------------------


def suite_of(text):
    """The one suite of a document, with counts that add up."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    (suite,) = root
    for one in (root, suite):
        assert int(one.get("tests")) == len(suite.findall("testcase"))
        assert int(one.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(one.get("skipped")) == len(suite.findall("testcase/skipped"))
        assert one.get("errors") == "0"
    order = [child.tag for child in suite]
    assert order == ["properties", *["testcase"] * (len(order) - 1)]
    for case in suite.findall("testcase"):
        assert case.get("classname") == suite.get("name")
        assert case.get("name")
        *outcome, output = [child.tag for child in case]
        assert outcome in ([], ["failure"], ["skipped"])
        assert output == "system-out"
    return suite


def test_a_violation_is_a_failure_with_its_counterexample(found):
    """The failing test holds the told counterexample; the other one passes."""
    suite = suite_of(junit(found))
    failure = suite.find("testcase[@name='no_double_dispatch']/failure")
    assert "put on the queue 2 times" in failure.get("message")
    assert "Stale read" in failure.text
    assert suite.find("testcase[@name='no_stranded_batch']/failure") is None


def test_what_was_never_at_risk_is_skipped_or_a_failure(proved):
    """What was NOT TESTED says nothing; where risk is required, it fails."""
    first, *others = proved.verdicts
    verdicts = (replace(first, outcome=Outcome.NOT_TESTED), *others)
    result = replace(proved, verdicts=verdicts)
    assert suite_of(junit(result)).get("skipped") == "1"
    required = suite_of(junit(result, requires_risk=True))
    assert (required.get("skipped"), required.get("failures")) == ("0", "1")


def test_a_proof_passes(proved):
    """No failure, and the strength says how many states were seen."""
    suite = suite_of(junit(proved))
    assert suite.get("failures") == "0"
    assert "no state of" in suite.find("testcase/system-out").text


# SARIF ----------------------------------------------------------------------------


def checked(text):
    """The run of a document that fits the schema."""
    document = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document["runs"][0]


def test_sarif_places_every_step_in_the_code(found, schedule):
    """The result lies at the violating statement; threads are tasks, in one order."""
    run = checked(sarif(found))
    (result,) = run["results"]
    assert run["properties"]["verdicts"][result["ruleId"]] == "VIOLATED"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "wavecheck/coordinator/trigger.py"
    source = Path(import_module("wavecheck.coordinator.trigger").__file__).read_text()
    line = source.splitlines()[place["region"]["startLine"] - 1]
    assert "await db.enqueue(" in line
    flows = result["codeFlows"][0]["threadFlows"]
    orders = [one["executionOrder"] for flow in flows for one in flow["locations"]]
    assert sorted(orders) == list(range(1, len(schedule.steps) + 1))
    assert result["partialFingerprints"] == {"scheduleDigest/v1": schedule.digest}


def test_sarif_names_no_path_of_this_machine(found, tmp_path, monkeypatch):
    """Elsewhere the bytes are the same: a file goes by where it is imported from."""
    text = sarif(found)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(wc.__path__[0], "coordinator").resolve().parent)
    assert sarif(found) == text


def test_nothing_violated_is_an_empty_list(proved):
    """A proof has rules and no results."""
    run = checked(sarif(proved))
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"]


def test_the_schema_refuses_what_it_should(found):
    """The schema of this test can fail: a missing and an unknown key."""
    document = json.loads(sarif(found))
    del document["runs"][0]["tool"]["driver"]["name"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
    document = json.loads(sarif(found))
    document["runs"][0]["results"][0]["rule"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


# Markdown -------------------------------------------------------------------------


def test_the_summary_says_how_it_ended(found, proved):
    """A headline, a row for each property, each counterexample folded away."""
    text = summary(found)
    assert text.startswith("## Wavecheck: 1 of 2 properties violated\n")
    assert "| `no_double_dispatch` | **VIOLATED** |" in text
    assert text.count("<details>") == text.count("</details>") == 1
    assert ", VIOLATED**" in text
    count = len(proved.verdicts)
    head = summary(proved).splitlines()[0]
    assert head.startswith(f"## Wavecheck: {count} properties: {count} proved")
    verdicts = (replace(proved.verdicts[0], outcome=Outcome.NOT_TESTED),)
    first = summary(replace(proved, verdicts=verdicts)).splitlines()[0]
    assert first == "## Wavecheck: 1 properties: 1 not tested"


def test_every_row_of_a_table_has_its_columns(found, hostile):
    """No name adds a column or ends a row."""
    for result in (found, hostile):
        tables = re.findall(r"(?:^\|.*\n)+", summary(result), re.MULTILINE)
        assert len(tables) == 2
        for table in tables:
            bars = [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
            assert len(set(bars)) == 1


# Hostile names --------------------------------------------------------------------


def test_hostile_names_stay_text(hostile, name):
    """No format lets a name become markup; XML has no character that it cannot hold."""
    suite = suite_of(junit(hostile))
    assert "<script>" in suite.find("testcase/failure").text
    assert "\0" not in junit(hostile)
    result = checked(sarif(hostile))["results"][0]
    assert "\n" not in result["message"]["text"]
    text = re.sub(r"`[^`\\n]*`", "", summary(hostile))  # code spans show all as it is
    assert not re.search(r"(?<!\\)<(?!/?(?:details|summary|code)>)", text)
    assert escaped_markdown(name).isprintable()


def test_the_same_search_gives_the_same_bytes(found):
    """Two searches with one seed are alike in every format: no time, no rate."""
    again = wc.check(
        "import-job",
        "progressive",
        properties=["no_double_dispatch", "no_stranded_batch"],
        executions=300,
    )
    for write in (junit, sarif, summary):
        assert write(again) == write(found)
