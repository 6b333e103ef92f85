"""Verdicts as SARIF 2.1.0, which code hosts show as alerts at lines of code.

One rule for each property, one result for each violation. The result lies where the
step stands that violates; its code flow has one thread for each task, and the order of
execution is that of the schedule.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

import json
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import wavecheck
from wavecheck import __version__
from wavecheck.reports.export.judged import judged
from wavecheck.reports.export.story import ToldSchedule, one_line, tell
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.blame import Place
from wavecheck.sim.search.places import places_of
from wavecheck.sim.verdict import Outcome

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT: Final = "SRCROOT"


def sarif(result: CheckResult) -> str:
    """Return the violations of a search or of a proof as SARIF."""
    known = judged(result)
    rules = [
        {
            "id": one.name,
            "shortDescription": {"text": one.meaning},
            "defaultConfiguration": {"level": "error"},
        }
        for one in known.properties
    ]
    found = [
        {
            "ruleId": one.name,
            "ruleIndex": index,
            "level": "error",
            "message": {"text": one_line(one.strength)},
            **({} if one.evidence is None else _located(one.evidence)),
        }
        for index, one in enumerate(known.properties)
        if one.verdict.outcome is Outcome.VIOLATED
    ]
    driver = {"name": "Wavecheck", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "the working folder"}}},
        "results": found,
        "properties": {
            "verdicts": {one.name: one.verdict.outcome.word for one in known.properties}
        },
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _located(evidence: Evidence) -> dict[str, Any]:
    """Return where a counterexample ends, and all of its steps by task."""
    story, schedule = tell(evidence), evidence.schedule
    locations = [
        _location(place, story, number)
        for number, place in enumerate(places_of(evidence.world(), schedule))
    ]
    return {
        "message": {"text": one_line(story.title)},
        "locations": locations[-1:],
        "codeFlows": [{"threadFlows": _flows(story, locations)}],
        "partialFingerprints": {"scheduleDigest/v1": schedule.digest},
    }


def _flows(
    story: ToldSchedule, locations: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    flows = []
    for lane in story.lanes:
        steps = [
            {
                "location": location,
                "executionOrder": step.number,
                "importance": "essential"
                if step.number in story.marks
                else "important",
            }
            for step, location in zip(story.steps, locations, strict=True)
            if step.task == lane
        ]
        flows.append({"id": one_line(lane), "locations": steps})
    return flows


def _location(place: Place | None, story: ToldSchedule, index: int) -> dict[str, Any]:
    step = story.steps[index]
    mark = story.marks.get(step.number)
    text = f"{step.task}: {story.words(step)}{f' ({mark})' if mark else ''}"
    location: dict[str, Any] = {"message": {"text": one_line(text)}}
    if place is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(place.file), "uriBaseId": ROOT},
            "region": {"startLine": place.line},
        }
    return location


def _uri(file: str) -> str:
    """Return a file as a relative reference: from here, or from where it is imported.

    No absolute path: the same code gives the same bytes on every machine.
    """
    path = Path(file).resolve()  # a checkout of ours imports through links
    for folder in sorted(Path(wavecheck.__path__[0]).iterdir()):
        if path.is_relative_to(folder.resolve()):
            inner = path.relative_to(folder.resolve()).as_posix()
            return quote(f"wavecheck/{folder.name}/{inner}")
    roots = [Path.cwd(), *(Path(entry).resolve() for entry in sys.path if entry)]
    inside = [root for root in roots if path.is_relative_to(root)]
    here = path.relative_to(inside[0]) if inside else Path(path.name)
    return quote(here.as_posix())
