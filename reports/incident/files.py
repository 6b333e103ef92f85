"""The timeline of an incident as the pair of CSV files that `compare` reads."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Final

from wavecheck.scenarios.incident.investigation import Investigation
from wavecheck.sim.files import make_folder, write_whole

_BATCHES: Final = ("batch_id", "job_id", "wave_number", "status", "created_at")
_CALLS: Final = (
    "call_number",
    "job_id",
    "wave_number",
    "called_at",
    "batches_dispatched",
)


def save_timeline(found: Investigation, folder: Path) -> list[Path]:
    """Write the timeline of the wave that was looked at; return the files.

    Raises:
        InvalidScenario: a file cannot be written.
    """
    make_folder(folder)
    evidence, timeline = found.evidence, found.timeline
    job_and_wave = timeline.job_id, timeline.wave_number
    status = {one.batch_id: one.status for one in evidence.batches}
    sent = {one.number: one.batches_dispatched or 0 for one in evidence.calls or ()}
    batches = [
        (batch_id, *job_and_wave, status[batch_id], evidence.moment(time))
        for time, batch_id in timeline.batches
    ]
    calls = [
        (number, *job_and_wave, evidence.moment(time), sent.get(number, 0))
        for time, number in timeline.calls
    ]
    files = {
        folder / "batches.csv": _csv(_BATCHES, batches),
        folder / "calls.csv": _csv(_CALLS, calls),
    }
    for path, content in files.items():
        write_whole(path, content)
    return list(files)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
