"""A schedule or a timed run as trace events, which ui.perfetto.dev and Chrome show.

A schedule has no time, so each step takes one millisecond of the picture; arrows are
happens-before between tasks. A timed run shows virtual time: what each task waited for,
each batch from creation to completion, batches by status, alerts.

Source: "Trace Event Format", the document of the Chromium project.
"""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from wavecheck.reports.export.story import tell
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.pipeline.observation import BATCH_STATES
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.worlds.timed import WorldRun
from wavecheck.sim.search.schedule import Schedule

STEP_TICKS: Final = 1_000
_TASKS, _BATCHES = 1, 2  # the processes of the picture

Event = dict[str, Any]


def perfetto(recorded: Schedule | Evidence) -> str:
    """Return a schedule as trace event JSON.

    Raises:
        ReplayMismatch: it does not replay, or does not violate what it says.
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    evidence = Evidence.of(recorded)
    story, schedule = tell(evidence), evidence.schedule
    threads = {lane: number for number, lane in enumerate(story.lanes, start=1)}
    events = _names(_TASKS, f"{schedule.coordinator} in {schedule.scenario}", threads)
    for step in story.steps:
        place = {"pid": _TASKS, "tid": threads[step.task]}
        began, mark = step.number * STEP_TICKS, story.marks.get(step.number)
        told = {
            "step": step.number,
            "returned": story.wording.result(step).removeprefix(" = "),
        }
        told |= {"changed": story.changes(step), "mark": mark or ""}
        events.append(
            {"name": story.wording.call(step), "cat": step.kind, "ph": "X"}
            | {"ts": began, "dur": STEP_TICKS, **place, "args": told}
        )
        if mark:
            events.append(
                {"name": mark, "cat": "mark", "ph": "i", "s": "t", "ts": began, **place}
            )
    order = evidence.happens_before
    arrows = [pair for pair in order.edges(data=True) if pair[2]["why"] != "task"]
    task_of = {step.number: step.task for step in story.steps}
    for number, (earlier, later, data) in enumerate(arrows, start=1):
        shared = {"name": data["why"], "cat": "happens-before", "id": number}
        for phase, step_number in (("s", earlier), ("f", later)):
            tid = threads[task_of[step_number]]
            ts = step_number * STEP_TICKS + STEP_TICKS // 2
            ends = {"bp": "e"} if phase == "f" else {}
            events.append(
                {**shared, "ph": phase, "ts": ts, "pid": _TASKS, "tid": tid, **ends}
            )
    return _document(events, story.title)


def perfetto_of_run(run: TimedRun, trace_lines: Iterable[str]) -> str:
    """Return a timed run as trace event JSON.

    Args:
        run: the result.
        trace_lines: its trace, one line of JSON for each step.
    """
    steps = [json.loads(line) for line in trace_lines]
    threads = {
        lane: number
        for number, lane in enumerate(dict.fromkeys(s["task"] for s in steps), start=1)
    }
    events = _names(_TASKS, f"tasks of {run.coordinator_name}", threads)
    events += _task_events(run, steps, threads)
    events += _names(_BATCHES, "batches", {})
    events += _batch_events(run)
    for alert in run.alerts:
        kind = "right" if alert.is_right else "false alarm"
        events.append(
            {"name": f"{alert.name}, wave {alert.wave_number}: {kind}", "cat": "alert"}
            | {"ph": "i", "s": "g", "ts": alert.fired_at, "pid": _BATCHES, "tid": 0}
        )
    return _document(events, f"{run.coordinator_name}, virtual time")


def perfetto_of_world(run: WorldRun) -> str:
    """Return a timed run of a world as trace event JSON: who waits, and who acts."""
    lanes = [one.name for one in run.tasks]
    threads = {lane: number for number, lane in enumerate(lanes, start=1)}
    events = _names(_TASKS, f"tasks of {run.coordinator_name}", threads)
    for one in run.performed:
        place = {"pid": _TASKS, "tid": threads[one.task]}
        for name, began, ended in (
            (f"waits for {one.statement}", one.asked_at, one.began_at),
            (one.statement, one.began_at, one.acted_at),
        ):
            if ended > began or name == one.statement:
                events.append(
                    {"name": name, "cat": "statement", "ph": "X", "ts": began}
                    | {"dur": ended - began, **place}
                )
    return _document(events, f"{run.coordinator_name}, virtual time")


def _task_events(
    run: TimedRun, steps: list[dict[str, Any]], threads: dict[str, int]
) -> list[Event]:
    """Return a slice for each step, from the task's step before it until it acted."""
    since: dict[str, int] = {}
    for call in run.calls:  # a task that begins later begins with its first call
        since.setdefault(call.task, call.started_at)
    events: list[Event] = []
    for step in steps:
        task, ended = step["task"], step["time"]
        began = min(since.get(task, ended if ended else 0), ended)
        since[task] = ended
        place = {"pid": _TASKS, "tid": threads[task]}
        told = {name: step[name] for name in ("step", "args", "result")}
        events.append(
            {"name": step["operation"], "cat": step["kind"], "ph": "X", "ts": began}
            | {"dur": ended - began, **place, "args": told}
        )
    return events


def _batch_events(run: TimedRun) -> list[Event]:
    """Return an interval for each stretch of a batch, and the counts by status."""
    events: list[Event] = []
    for batch in run.batches:
        moments = [batch.created_at, batch.dispatched_at, batch.completed_at]
        ends = [moment for moment in moments if moment is not None]
        if len(ends) < len(moments):
            ends.append(run.makespan)
        for number, (began, ended) in enumerate(pairwise(ends)):
            name = f"{batch.batch_id} {('waits', 'is sent')[number]}"
            shared: Event = {"name": name, "cat": "batch", "id": batch.batch_id}
            shared |= {"pid": _BATCHES, "tid": 0}
            events.append({**shared, "ph": "b", "ts": began})
            events.append({**shared, "ph": "e", "ts": ended})
    for wave_number, history in run.histories.items():
        name = f"wave {wave_number}, batches by status"
        columns = [str(status) for status in BATCH_STATES]
        for time, counts in zip(
            history.times.tolist(), history.counts.tolist(), strict=True
        ):
            counted = dict(zip(columns, counts, strict=True))
            events.append(
                {"name": name, "ph": "C", "ts": time, "pid": _BATCHES, "args": counted}
            )
    return events


def _names(process: int, name: str, threads: dict[str, int]) -> list[Event]:
    """Return the events that name a process and its threads, in their order."""
    events: list[Event] = [
        {"name": "process_name", "ph": "M", "pid": process, "args": {"name": name}}
    ]
    for lane, number in threads.items():
        place = {"ph": "M", "pid": process, "tid": number}
        events.append({"name": "thread_name", **place, "args": {"name": lane}})
        events.append(
            {"name": "thread_sort_index", **place, "args": {"sort_index": number}}
        )
    return events


def _document(events: list[Event], title: str) -> str:
    lines = ",\n".join(json.dumps(event, ensure_ascii=True) for event in events)
    about = json.dumps({"title": title})
    return (
        f'{{"displayTimeUnit": "ms", "otherData": {about}, "traceEvents": [\n{lines}\n'
        "]}\n"
    )
