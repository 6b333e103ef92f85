"""What rows say about the properties: a database as somebody left it, judged.

The checks are those of the simulator (`properties`), asked as if every row
had just been written. Rows show where things stand and not how they got there, so some
properties can be violated by them and not confirmed, and one cannot be judged at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wavecheck.coordinator import Batch, ImportPlan, Job, Wave
from wavecheck.scenarios.pipeline.properties import PIPELINE_PROPERTIES
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.property import Moment, Property

HISTORY: Final = ("legal_transitions",)
"""Properties of the way, of which rows know only the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What rows say about one property.

    Attributes:
        property_name: which.
        violation: what is wrong, or None.
        undecided: why rows cannot tell, or "".
    """

    property_name: str
    violation: str | None
    undecided: str = ""


class RowFacts:
    """Rows as the properties' checks want them.

    Args:
        jobs: rows of `jobs`.
        waves: rows of `waves`.
        batches: rows of `wave_batches`.
        sends: (batch id, attempt) of every message sent; None: nobody knows.
        plans: by job id; a job without one is not asked about its parents.
    """

    pending_limit = 0

    def __init__(
        self,
        jobs: Sequence[Job],
        waves: Sequence[Wave],
        batches: Sequence[Batch],
        *,
        sends: Sequence[tuple[str, int]] | None,
        plans: Mapping[str, ImportPlan] | None = None,
    ) -> None:
        self.store = PipelineStore(Kernel(), stale_after=0, lease=0)
        self.plans = dict(plans or {})
        self.knows_sends = sends is not None
        for job in jobs:
            self.store.jobs.insert(job)
        for wave in waves:
            self.store.waves.insert(wave)
        for batch in batches:
            self.store.batches.insert(batch)
        for sent in sends or ():
            self.store.sends.add(sent)

    def longest_pending(self) -> tuple[int | None, str] | None:
        """Return None: how long a batch waited is a question of time."""
        return None

    def findings(self) -> tuple[Finding, ...]:
        """Return what the rows say about each property that needs no time."""
        return tuple(
            self._finding(one)
            for one in PIPELINE_PROPERTIES
            if one.moment is not Moment.TIMED
        )

    def _finding(self, judged: Property) -> Finding:
        violation = self._violation(judged)
        undecided = ""
        if violation is None:
            undecided = self._undecided(judged)
        return Finding(
            property_name=judged.name, violation=violation, undecided=undecided
        )

    def _violation(self, judged: Property) -> str | None:
        if judged.at_end is not None:
            return judged.at_end(self)
        rows: dict[str, list[tuple[Any, Any]]] = {
            "jobs": [(row.job_id, row) for row in self.store.jobs],
            "waves": [(row[:2], row) for row in self.store.waves],
            "wave_batches": [(row.batch_id, row) for row in self.store.batches],
            "sends": self.store.sends.items(),
        }
        for part, check in judged.on_change.items():
            for key, row in rows[part]:
                message = check(self, key, None, row)
                if message is not None:
                    return message
        return None

    def _undecided(self, judged: Property) -> str:
        if judged.name in HISTORY:
            return "rows show where things stand, not how they got there"
        if judged.name == "no_double_dispatch" and not self.knows_sends:
            return "nobody kept the messages that were sent"
        if not judged.is_at_risk(self):
            return "nothing here could have violated it"
        return ""
