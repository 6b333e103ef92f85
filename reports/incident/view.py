"""What an investigation found, as text and as data."""

from typing import Any

from rich.console import Console
from rich.table import Table

from wavecheck.coordinator import BatchState
from wavecheck.reports import data
from wavecheck.scenarios.incident.investigation import Investigation, Trial
from wavecheck.scenarios.incident.story import Story


def print_investigation(console: Console, found: Investigation) -> None:
    """Tell what the rows say, who would have noticed, and what would have helped."""
    evidence = found.evidence
    calls = "no call log" if evidence.calls is None else f"{len(evidence.calls)} calls"
    console.print(
        f"job {evidence.job.job_id}: {len(evidence.batches)} batches, {calls}, from"
        f" {evidence.clock(0)} UTC"
    )
    for wave in evidence.waves:
        counts = _counts(found, wave.wave_number)
        shown = ", ".join(f"{count} {status}" for status, count in counts.items())
        console.print(f"  wave {wave.wave_number}, {wave.status}: {shown or 'empty'}")
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
    _print_trials(console, found)
    if found.story is not None:
        _print_story(console, found, found.story)
    if found.assumptions:
        console.print("\nassumed")
        for one in found.assumptions:
            console.print(f"  {one}")


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
    for alert in found.alerts:
        rows.add_row(
            "",
            alert.name,
            f"wave {alert.wave_number}, {alert.fired_at / 1_000_000:.3f} s",
            f"{found.evidence.clock(alert.fired_at)} UTC,"
            f" {'right' if alert.is_right else 'a false alarm'}",
        )
    console.print(rows if found.alerts else "  none")


def _print_trials(console: Console, found: Investigation) -> None:
    console.print(f"\nthe recorded timeline of wave {found.wave_number} with each rule")
    rows = _plain_table(
        "", "coordinator", "leaves pending", "sends twice", "can it have ended so?"
    )
    for trial in found.trials:
        rows.add_row(
            "", trial.name, str(trial.pending()), str(trial.sent_twice()), _can(trial)
        )
    console.print(rows)


def _can(trial: Trial) -> str:
    found = trial.reconstruction
    if found.scale is None:
        seen = ", ".join(map(str, found.pending_counts))
        return f"not in {found.executions_count} tries: {seen} pending"
    which = "with these very batches" if found.is_exact else "with other batches"
    if found.scale == 0:
        return f"yes, {which}, each call by itself"
    return f"yes, {which}, statements up to {found.scale / 1000:g} ms late"


def _print_story(console: Console, found: Investigation, story: Story) -> None:
    console.print(f"\nhow it can have happened, with {story.coordinator}")
    for number, time, count in story.senders:
        console.print(
            f"  call-{number}, {found.evidence.clock(time)}: sends {count} batches"
        )
    for text, count in story.idle:
        console.print(f"  {count} calls send nothing: {text}")
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
        "coordinators": [
            {
                "coordinator": one.name,
                "pending": one.pending(),
                "sent_twice": one.sent_twice(),
                "can_have_ended_so": one.reconstruction.scale is not None,
                "is_exact": one.reconstruction.is_exact,
                "delay_max_us": one.reconstruction.scale,
                "executions": one.reconstruction.executions_count,
                "pending_seen": list(one.reconstruction.pending_counts),
            }
            for one in found.trials
        ],
        "assumed": list(found.assumptions),
    }
