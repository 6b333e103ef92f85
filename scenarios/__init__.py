"""What is tried: named, frozen descriptions of worlds, and coordinators for them.

This is the front door for Python: what a test, a script or a notebook needs is listed
here, and no other name of this package is promised to stay. A scenario is given by name
or as it is; a coordinator as a class, as NAME, package.module:Class or
path/to/file.py:Class; settings by name, as values or as text.

What is tried: `import_job`, `fleet`, `wd`, `incident`, `classic`, `zoo`; `catalogue`
finds them by name. A coordinator in one of them, with sizes and faults, is a `subject`.
What is asked of it: a few timed runs in `comparison`, thousands in `campaign`, a
verdict in `verdicts`, whether the model tells the truth in `database` and `conformity`.
"""

from scenarios.campaign.front_door import calibrate, read_results, run_campaign
from scenarios.catalogue import EXHIBITS, SCENARIOS, find_scenario
from scenarios.comparison import Comparison, compare, run
from scenarios.loading import load_coordinator
from scenarios.questions import (
    Sweep,
    explain,
    happens_before,
    prove,
    replay,
    state_graph,
    sweep,
)
from scenarios.scenario import Scenario
from scenarios.schedule_files import read_schedule, schedule_text
from scenarios.verdicts.checking import CheckResult, check
from scenarios.verdicts.proving import ProofResult
from sim.errors import (
    CoordinatorError,
    InvalidScenario,
    NondeterminismError,
    ReplayMismatch,
    WavecheckError,
)
from sim.pipeline.timed_run import TimedRun
from sim.search.explain import Explanation
from sim.search.schedule import Replayed, Schedule
from sim.verdict import Outcome, Verdict

__all__ = [
    "EXHIBITS",
    "SCENARIOS",
    "CheckResult",
    "Comparison",
    "CoordinatorError",
    "Explanation",
    "InvalidScenario",
    "NondeterminismError",
    "Outcome",
    "ProofResult",
    "ReplayMismatch",
    "Replayed",
    "Scenario",
    "Schedule",
    "Sweep",
    "TimedRun",
    "Verdict",
    "WavecheckError",
    "calibrate",
    "check",
    "compare",
    "explain",
    "find_scenario",
    "happens_before",
    "load_coordinator",
    "prove",
    "read_results",
    "read_schedule",
    "replay",
    "run",
    "run_campaign",
    "schedule_text",
    "state_graph",
    "sweep",
]
