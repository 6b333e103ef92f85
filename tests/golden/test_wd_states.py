"""The exhaustive engine against the reference model's exact numbers."""

import pytest

from wavecheck.scenarios.wd.model import WD, WDSettings
from wavecheck.sim.exhaustive.explore import Limits, Search
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.paths import count_schedules
from wavecheck.sim.exhaustive.prove import conclude
from wavecheck.sim.kernel import Kernel

# listeners, batches per listener, rule, retrigger: states, transitions, schedules,
# shortest stranded, shortest double. From wd/golden.json, computed by three programs.
GOLDEN = [
    (2, 1, "stalling", False, 234, 424, 9360, 9, 12),
    (2, 1, "stalling", True, 2444, 5747, 53272034, None, 12),
    (2, 1, "progressive", False, 198, 354, 4876, None, 10),
    (2, 1, "progressive", True, 2910, 6950, 1176782544, None, 10),
    (2, 1, "claiming", False, 159, 305, 4876, None, None),
    (2, 1, "claiming", True, 1752, 4600, 1211294342, None, None),
    (3, 1, "stalling", False, 22910, 68282, 149993762073, 12, 12),
    (3, 1, "progressive", False, 17670, 52233, 13014754666, None, 10),
    (3, 1, "claiming", False, 7519, 24285, 13096413034, None, None),
    (2, 2, "stalling", False, 7049, 16607, 3717029225, 15, 12),
    (2, 2, "progressive", False, 7915, 21361, 2510563302, None, 10),
    (2, 2, "claiming", False, 2431, 7189, 2510563302, None, None),
]


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: "-".join(map(str, row[:4])))
def test_states_transitions_schedules_and_shortest_violations(row):
    """Every number of the reference model, with no reduction."""
    listeners, batches, rule, retrigger, states, transitions, schedules, *shortest = row
    settings = WDSettings(
        listeners=listeners, batches_per_listener=batches, retrigger=retrigger
    )
    world = WD.build(Kernel(timed=False), WD.coordinators[rule], settings)
    search = Search(Learner(world), Limits())
    result = conclude(search, search.run())
    assert (result.states, result.transitions) == (states, transitions)
    assert [one.shortest for one in result.properties] == shortest
    assert count_schedules(graph_of(search)) == schedules
    assert result.python_calls < 1000
