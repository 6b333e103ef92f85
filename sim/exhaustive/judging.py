"""Judging the final check of a property in many states at once.

Knows packed states and the learner. The check is run in Python once for each distinct
value of what it reads; for all other states its answer follows.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.layout import Words
from wavecheck.sim.exhaustive.reduction import StateNeeded


def holds_in(
    search: Search, words: Words, property_index: int, check: str = "at_end"
) -> npt.NDArray[np.bool_]:
    """Return in which of some states the final check of a property fails.

    Args:
        search: that visited them.
        words: of the states, final or not.
        property_index: of a property that has a final check.
        check: `at_end`, the final check; or `begins`, and whether that holds.

    Raises:
        InvalidScenario: the check looks at state that was left out.
    """
    system, learner = search.system, search.learner
    tasks_count = len(learner.tasks)
    fields: set[int] = set()
    while True:
        masks = system.layout.masks(sorted(fields))
        seen = np.stack(
            [word & np.uint64(mask) for word, mask in zip(words, masks, strict=True)]
        )
        places, kinds = _kinds(seen)
        verdicts = np.zeros(len(places), np.bool_)
        for kind, place in enumerate(places.tolist()):
            shared = system.shared_of([int(word[place]) for word in words])
            try:
                verdicts[kind], reads = learner.judge(shared, property_index, check)
            except StateNeeded:
                name = learner.properties[property_index].name
                raise InvalidScenario(
                    f"the final check of {name} looks at state that was left out\n"
                    "next: explore without reduction"
                ) from None
            read = {tasks_count + one for one in reads}
            if not read <= fields:
                fields |= read
                break
        else:
            return np.asarray(verdicts[kinds])


def _kinds(seen: npt.NDArray[np.uint64]) -> tuple[Any, Any]:
    """Return the place of one state of each kind, and the kind of each state."""
    order = np.lexsort(seen)
    ordered = seen[:, order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    kinds = np.empty(len(order), np.intp)
    kinds[order] = is_first.cumsum() - 1
    return order[is_first], kinds
