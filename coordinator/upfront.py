"""The report's alternative: create all derived batches at once."""

from typing import ClassVar

from wavecheck.coordinator.claiming import Claiming


class Upfront(Claiming):
    """Dispatches like `Claiming`; all derived batches appear with the last parent.

    Source: published report, "Alternative Approach: Batch All Upfront".
    """

    listener_policy: ClassVar[str] = "upfront"
