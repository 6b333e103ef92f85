"""Schedules as files: versioned JSON, strictly validated.

A file is data from somebody else: whatever is wrong with it is said with file, field,
value and what was expected.
"""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import read_text
from wavecheck.sim.search.schedule import Schedule, ScheduledStep

FORMAT_VERSION: Final = 1
KIND: Final = "wavecheck schedule"


_FORMER_MODULE: Final = re.compile(r"(coordinator|sim|scenarios|reports)\.")
"""What stood in front of a class of ours before all was below `wavecheck`."""


class _StepRecord(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    task: str
    operation: str
    args: list[Any]
    result: Any


class _ScheduleRecord(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str
    format: int
    scenario: str
    settings: dict[str, Any]
    coordinator: str
    faults: dict[str, int]
    property: str
    message: str
    choices: list[int] = Field(max_length=10_000_000)
    digest: str
    steps: list[_StepRecord]


def schedule_text(schedule: Schedule) -> str:
    """Return a schedule as JSON, one step a line."""
    head = {
        "kind": KIND,
        "format": FORMAT_VERSION,
        "scenario": schedule.scenario,
        "settings": dict(schedule.settings),
        "coordinator": schedule.coordinator,
        "faults": dict(schedule.faults),
        "property": schedule.property_name,
        "message": schedule.message,
        "digest": schedule.digest,
    }
    lines = [
        f'  "{name}": {json.dumps(value, ensure_ascii=False)},'
        for name, value in head.items()
    ]
    lines.append(f'  "choices": {json.dumps(list(schedule.choices))},')
    steps = [
        json.dumps(
            {
                "task": step.task,
                "operation": step.operation,
                "args": step.args,
                "result": step.result,
            },
            ensure_ascii=False,
        )
        for step in schedule.steps
    ]
    body = ",\n    ".join(steps)
    return "\n".join(["{", *lines, '  "steps": [', f"    {body}", "  ]", "}"]) + "\n"


def read_schedule(path: Path) -> Schedule:
    """Read a schedule from a file.

    Raises:
        InvalidScenario: it cannot be read, is no schedule, or of another version.
    """
    return parse_schedule(read_text(path), str(path))


def parse_schedule(text: str, path: str) -> Schedule:
    """Read a schedule from its text.

    Args:
        text: JSON.
        path: where it is from, for messages.

    Raises:
        InvalidScenario: it is no schedule, or of another version.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidScenario(
            f"{path}, line {error.lineno}, column {error.colno}: not JSON:"
            f" {error.msg}\nlikely: the file was cut off, or is no schedule"
        ) from error
    except (ValueError, RecursionError) as error:  # a huge number, endless nesting
        raise InvalidScenario(f"{path}: not a schedule: {error}") from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise InvalidScenario(
            f"{path}: not a schedule\n"
            f'  expected  an object with "kind": {KIND!r}\n'
            "next: wavecheck check SCENARIO --save DIR writes schedules"
        )
    if data.get("format") != FORMAT_VERSION:
        raise InvalidScenario(
            f"{path}: a schedule of another version\n"
            f"  expected  format {FORMAT_VERSION}\n"
            f"  got       {data.get('format')!r}\n"
            "next: search again with this version, or replay it with the other one"
        )
    try:
        record = _ScheduleRecord.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidScenario(
            f"{path}, field {field}\n"
            f"  expected  {first['msg']}\n"
            f"  got       {first['input']!r:.200}"
        ) from error
    return Schedule(
        scenario=record.scenario,
        settings=record.settings,
        coordinator=_coordinator_now(record.scenario, record.coordinator),
        faults=record.faults,
        property_name=record.property,
        message=record.message,
        choices=tuple(record.choices),
        steps=tuple(
            ScheduledStep(
                task=step.task,
                operation=step.operation,
                args=step.args,
                result=step.result,
            )
            for step in record.steps
        ),
        digest=record.digest,
    )


def _coordinator_now(scenario: str, name: str) -> str:
    """Return today's name of a coordinator in a schedule of an earlier version."""
    if name == "mended" and scenario.startswith(("zoo/", "classic/")):
        return "fixed"
    module, _, class_name = name.rpartition(":")
    if _FORMER_MODULE.match(module):
        try:
            ours = import_module(f"wavecheck.{module}")
        except ModuleNotFoundError:
            return name  # a user's package of that name
        if hasattr(ours, class_name):
            return f"wavecheck.{name}"
    return name
