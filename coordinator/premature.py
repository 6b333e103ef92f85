"""The rule with only the second published fix."""

from typing import ClassVar

from wavecheck.coordinator.progressive import Progressive


class Premature(Progressive):
    """Completes the job when the main waves are complete; else like `Progressive`.

    Source: published report, "Combined Effect": one of the two fixes without the other.
    """

    waits_for_derived_waves: ClassVar[bool] = False
