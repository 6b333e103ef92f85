"""What an investigation found, as text and as data."""

from typing import Any, Final

from rich.console import Console
from rich.table import Table

from wavecheck.coordinator import BatchState, WaveState
from wavecheck.reports import data
from wavecheck.scenarios.incident.evidence import spans
from wavecheck.scenarios.incident.investigation import Investigation, Trial
from wavecheck.scenarios.incident.story import Story
from wavecheck.scenarios.pipeline.reconstruction import Reconstruction

LINES_MAX: Final = 12
"""Of each list; what is beyond is counted."""


def print_rows(console: Console, found: Investigation) -> None:
    """Tell what the rows say, and who would have noticed."""
    evidence = found.evidence
    calls = "no call log" if evidence.calls is None else f"{len(evidence.calls)} calls"
    wrong = [one.property_name for one in found.findings if one.violation is not None]
    console.print(
        f"job {evidence.job.job_id}: "
        + (f"the rows violate {', '.join(wrong)}" if wrong else "nothing is violated")
    )
    console.print(
        f"{len(evidence.batches):,} batches, {calls}, from {evidence.clock(0)} UTC"
    )
    for line in _waves_lines(found):
        console.print(f"  {line}")
    console.print("\nproperties, as the rows stand")
    rows = _plain_table()
    for finding in found.findings:
        if finding.violation is not None:
            rows.add_row("", "VIOLATED", finding.property_name, finding.violation)
        elif finding.undecided:
            rows.add_row("", "undecided", finding.property_name, finding.undecided)
        else:
            rows.add_row("", "holds", finding.property_name, "")
    console.print(rows)
    _print_alerts(console, found)
    if found.assumptions:
        console.print("\nassumed")
        for one in found.assumptions:
            console.print(f"  {one}")


def print_trials(console: Console, found: Investigation) -> None:
    """Tell what other coordinators would have done, and how it can have happened."""
    _print_trials(console, found)
    if found.story is not None:
        _print_story(console, found, found.story)
    whole = len(found.evidence.of_wave(found.wave_number))
    if not found.is_tried() or len(found.timeline.batches) < whole:
        console.print(
            "\nthe budget ended before more was known; next: --budget with more time"
        )


def _waves_lines(found: Investigation) -> list[str]:
    """Return a line for each kind of wave; the latest of those that are open first."""
    alike: dict[str, list[int]] = {}
    for wave in reversed(found.evidence.waves):
        counts = _counts(found, wave.wave_number)
        statuses = list(counts)
        if statuses == [BatchState.COMPLETED] and wave.status is WaveState.COMPLETED:
            shown = "completed, all batches completed"
        else:
            told = ", ".join(f"{count} {status}" for status, count in counts.items())
            shown = f"{wave.status}: {told or 'empty'}"
        alike.setdefault(shown, []).append(wave.wave_number)
    lines = [f"{spans(sorted(one))}, {shown}" for shown, one in alike.items()]
    return folded(lines, "kinds of waves")


def folded(lines: list[str], what: str) -> list[str]:
    """Return the first lines, and how many more there are."""
    if len(lines) <= LINES_MAX:
        return lines
    return [*lines[:LINES_MAX], f"and {len(lines) - LINES_MAX:,} more {what}"]


def _plain_table(*headers: str) -> Table:
    table = Table(
        box=None, show_header=bool(headers), pad_edge=False, padding=(0, 2, 0, 0)
    )
    for header in headers or ("", "", "", ""):
        table.add_column(header)
    return table


def _counts(found: Investigation, wave_number: int) -> dict[str, int]:
    batches = found.evidence.of_wave(wave_number)
    counts = {one: sum(row.status is one for row in batches) for one in BatchState}
    return {str(status): count for status, count in counts.items() if count}


def _print_alerts(console: Console, found: Investigation) -> None:
    console.print("\nalerts that would have fired")
    rows = _plain_table()
    latest = sorted(found.alerts, key=lambda one: -one.fired_at)
    for alert in latest[:LINES_MAX]:
        rows.add_row(
            "",
            alert.name,
            f"wave {alert.wave_number}, {alert.fired_at / 1_000_000:.3f} s",
            f"{found.evidence.clock(alert.fired_at)} UTC,"
            f" {'right' if alert.is_right else 'a false alarm'}",
        )
    console.print(rows if found.alerts else "  none")
    if len(latest) > LINES_MAX:
        console.print(f"  and {len(latest) - LINES_MAX:,} earlier ones")


def _print_trials(console: Console, found: Investigation) -> None:
    tried = len(found.timeline.batches)
    whole = len(found.evidence.of_wave(found.wave_number))
    part = "" if tried == whole else f", its newest {tried:,} of {whole:,} batches,"
    console.print(
        f"\nthe recorded timeline of wave {found.wave_number}{part} with each rule"
    )
    rows = _plain_table(
        "", "coordinator", "leaves pending", "sends twice", "can it have ended so?"
    )
    for trial in found.trials:
        rows.add_row(
            "",
            trial.name,
            _known(trial.pending()),
            _known(trial.sent_twice()),
            _can(trial),
        )
    console.print(rows)


def _known(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _can(trial: Trial) -> str:
    found = trial.reconstruction
    if found is None:
        return "?"
    if found.scale is None:
        seen = ", ".join(map(str, found.pending_counts))
        return f"not in {found.executions_count} tries: {seen} pending"
    which = "with these very batches" if found.is_exact else "with other batches"
    if found.scale == 0:
        return f"yes, {which}, each call by itself"
    return f"yes, {which}, statements up to {found.scale / 1000:g} ms late"


def _print_story(console: Console, found: Investigation, story: Story) -> None:
    console.print(f"\nhow it can have happened, with {story.coordinator}")
    sent = [
        f"call-{number}, {found.evidence.clock(time)}: sends {count} batches"
        for number, time, count in story.senders
    ]
    idle = [f"{count} calls send nothing: {text}" for text, count in story.idle]
    for line in (*folded(sent, "calls that send"), *folded(idle, "kinds of calls")):
        console.print(f"  {line}")
    console.print(
        f"  {story.created_later} of the {story.pending} pending batches were created"
        " after the last call that sent anything had looked"
    )


def investigation_data(found: Investigation, settings: Any) -> dict[str, Any]:
    """Return an investigation as plain data."""
    evidence = found.evidence
    return {
        **data.header("incident", "incident", settings),
        "job": evidence.job.job_id,
        "started_at": evidence.clock(0),
        "waves": [
            {
                "wave_number": wave.wave_number,
                "status": str(wave.status),
                "batches": _counts(found, wave.wave_number),
            }
            for wave in evidence.waves
        ],
        "properties": [
            {
                "property": one.property_name,
                "violation": one.violation,
                "undecided": one.undecided or None,
            }
            for one in found.findings
        ],
        "alerts": [
            {
                "alert": one.name,
                "wave_number": one.wave_number,
                "fired_at_us": one.fired_at,
                "fired_at": evidence.clock(one.fired_at),
                "is_right": one.is_right,
            }
            for one in found.alerts
        ],
        "wave_number": found.wave_number,
        "batches_tried": len(found.timeline.batches),
        "coordinators": [
            {
                "coordinator": one.name,
                "pending": one.pending(),
                "sent_twice": one.sent_twice(),
                **_reconstruction_data(one.reconstruction),
            }
            for one in found.trials
        ],
        "assumed": list(found.assumptions),
    }


def _reconstruction_data(made: Reconstruction | None) -> dict[str, Any]:
    return {
        "can_have_ended_so": None if made is None else made.scale is not None,
        "is_exact": None if made is None else made.is_exact,
        "delay_max_us": None if made is None else made.scale,
        "executions": 0 if made is None else made.executions_count,
        "pending_seen": [] if made is None else list(made.pending_counts),
    }
