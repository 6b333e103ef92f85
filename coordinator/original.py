"""The rule before either published fix."""

from typing import ClassVar

from wavecheck.coordinator.stalling import Stalling


class Original(Stalling):
    """Completes the job when the main waves are complete; otherwise like `Stalling`.

    Source: published report, "Issue #1: Premature Job Completion".
    """

    waits_for_derived_waves: ClassVar[bool] = False
