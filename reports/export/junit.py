"""Verdicts as JUnit XML, which CI systems show as tests.

One suite for one scenario and coordinator, one test for each property. A violation is a
failure with the told counterexample; a property that was never at risk is a skipped
test, for nothing was tested. There are no times: the same search gives the same bytes.
"""

from xml.etree import ElementTree

from wavecheck.reports.explanation.text import explanation_plain
from wavecheck.reports.export.graphml import xml_text
from wavecheck.reports.export.judged import JudgedProperty, judged
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.verdict import Outcome


def junit(result: CheckResult, *, requires_risk: bool = False) -> str:
    """Return verdicts as JUnit XML.

    Args:
        result: of a search or of a proof.
        requires_risk: a property that was never at risk is a failure.
    """
    known = judged(result)
    name = xml_text(
        f"wavecheck.{known.subject.scenario.name}.{known.subject.coordinator}"
    )
    suite = ElementTree.Element("testsuite", name=name)
    properties = ElementTree.SubElement(suite, "properties")
    for setting, value in (*known.settings.items(), ("strategy", known.strategy)):
        ElementTree.SubElement(
            properties, "property", name=setting, value=xml_text(str(value))
        )
    counts = dict.fromkeys(("failure", "skipped"), 0)
    for one in known.properties:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name=one.name)
        kind = _kind(one, requires_risk=requires_risk)
        if kind:
            counts[kind] += 1
            _tell(case, kind, one)
        output = ElementTree.SubElement(case, "system-out")
        told = f"{one.verdict.outcome.word}: {one.strength}"
        output.text = xml_text(f"{one.meaning}\n{told}")
    totals = {
        "tests": str(len(known.properties)),
        "failures": str(counts["failure"]),
        "errors": "0",
        "skipped": str(counts["skipped"]),
    }
    suite.attrib.update(totals)
    suites = ElementTree.Element("testsuites", {"name": "wavecheck", **totals})
    suites.append(suite)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _kind(one: JudgedProperty, *, requires_risk: bool) -> str:
    if one.verdict.outcome is Outcome.VIOLATED:
        return "failure"
    if one.verdict.outcome is Outcome.NOT_TESTED:
        return "failure" if requires_risk else "skipped"
    return ""


def _tell(case: ElementTree.Element, kind: str, one: JudgedProperty) -> None:
    message = xml_text(one.strength)
    if kind == "skipped":
        ElementTree.SubElement(case, "skipped", message=message)
        return
    failure = ElementTree.SubElement(
        case, "failure", type=one.verdict.outcome.word, message=message
    )
    if one.evidence is not None:
        failure.text = xml_text(explanation_plain(one.evidence.explanation))
