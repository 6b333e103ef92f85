__version__: str

from .coordinator import (
    VARIANTS as VARIANTS,
)
from .coordinator import (
    Batch as Batch,
)
from .coordinator import (
    BatchState as BatchState,
)
from .coordinator import (
    Claiming as Claiming,
)
from .coordinator import (
    Coordinator as Coordinator,
)
from .coordinator import (
    Database as Database,
)
from .coordinator import (
    Deadlock as Deadlock,
)
from .coordinator import (
    Delivery as Delivery,
)
from .coordinator import (
    DurableListener as DurableListener,
)
from .coordinator import (
    ImportPlan as ImportPlan,
)
from .coordinator import (
    Isolation as Isolation,
)
from .coordinator import (
    Job as Job,
)
from .coordinator import (
    JobState as JobState,
)
from .coordinator import (
    Leased as Leased,
)
from .coordinator import (
    Listener as Listener,
)
from .coordinator import (
    ListenerDatabase as ListenerDatabase,
)
from .coordinator import (
    Original as Original,
)
from .coordinator import (
    Premature as Premature,
)
from .coordinator import (
    Progressive as Progressive,
)
from .coordinator import (
    ProgressiveListener as ProgressiveListener,
)
from .coordinator import (
    SerializationFailure as SerializationFailure,
)
from .coordinator import (
    Stalling as Stalling,
)
from .coordinator import (
    StatementFailed as StatementFailed,
)
from .coordinator import (
    Statements as Statements,
)
from .coordinator import (
    Transaction as Transaction,
)
from .coordinator import (
    Upfront as Upfront,
)
from .coordinator import (
    UpfrontListener as UpfrontListener,
)
from .coordinator import (
    Wave as Wave,
)
from .coordinator import (
    WaveKind as WaveKind,
)
from .coordinator import (
    WaveState as WaveState,
)
from .coordinator import (
    WorkerDatabase as WorkerDatabase,
)
from .reports.explanation.text import (
    explanation_markdown as explanation_markdown,
)
from .reports.explanation.text import (
    explanation_plain as explanation_plain,
)
from .reports.explanation.text import (
    reasons as reasons,
)
from .reports.monitors import (
    Thresholds as Thresholds,
)
from .reports.monitors import (
    probes as probes,
)
from .reports.monitors import (
    prometheus_rules as prometheus_rules,
)
from .reports.pictures import (
    write_pictures as write_pictures,
)
from .scenarios.campaign.front_door import (
    calibrate as calibrate,
)
from .scenarios.campaign.front_door import (
    read_results as read_results,
)
from .scenarios.campaign.front_door import (
    run_campaign as run_campaign,
)
from .scenarios.catalogue import (
    EXHIBITS as EXHIBITS,
)
from .scenarios.catalogue import (
    SCENARIOS as SCENARIOS,
)
from .scenarios.catalogue import (
    find_scenario as find_scenario,
)
from .scenarios.comparison import (
    Comparison as Comparison,
)
from .scenarios.comparison import (
    compare as compare,
)
from .scenarios.comparison import (
    run as run,
)
from .scenarios.difference import (
    CodeDifference as CodeDifference,
)
from .scenarios.difference import (
    diff as diff,
)
from .scenarios.effort import (
    Effort as Effort,
)
from .scenarios.loading import (
    load_coordinator as load_coordinator,
)
from .scenarios.pipeline.timed_run import (
    TimedRun as TimedRun,
)
from .scenarios.questions import (
    Sweep as Sweep,
)
from .scenarios.questions import (
    check as check,
)
from .scenarios.questions import (
    explain as explain,
)
from .scenarios.questions import (
    happens_before as happens_before,
)
from .scenarios.questions import (
    prove as prove,
)
from .scenarios.questions import (
    replay as replay,
)
from .scenarios.questions import (
    state_graph as state_graph,
)
from .scenarios.questions import (
    sweep as sweep,
)
from .scenarios.scenario import (
    Scenario as Scenario,
)
from .scenarios.schedule_files import (
    read_schedule as read_schedule,
)
from .scenarios.schedule_files import (
    schedule_text as schedule_text,
)
from .scenarios.verdicts.result import (
    CheckResult as CheckResult,
)
from .scenarios.worlds import (
    WorldBuilder as WorldBuilder,
)
from .scenarios.worlds import (
    world as world,
)
from .sim.errors import (
    CoordinatorError as CoordinatorError,
)
from .sim.errors import (
    InvalidScenario as InvalidScenario,
)
from .sim.errors import (
    NondeterminismError as NondeterminismError,
)
from .sim.errors import (
    ReplayMismatch as ReplayMismatch,
)
from .sim.errors import (
    WavecheckError as WavecheckError,
)
from .sim.handles import (
    BusyError as BusyError,
)
from .sim.handles import (
    DeadlockError as DeadlockError,
)
from .sim.handles import (
    DuplicateError as DuplicateError,
)
from .sim.handles import (
    SerializationError as SerializationError,
)
from .sim.handles import (
    TransactionError as TransactionError,
)
from .sim.handles import (
    above as above,
)
from .sim.handles import (
    at_least as at_least,
)
from .sim.handles import (
    at_most as at_most,
)
from .sim.handles import (
    below as below,
)
from .sim.handles import (
    differs as differs,
)
from .sim.handles import (
    one_of as one_of,
)
from .sim.handles import (
    plus as plus,
)
from .sim.parts import (
    UniqueViolation as UniqueViolation,
)
from .sim.search.explain import (
    Explanation as Explanation,
)
from .sim.search.schedule import (
    Replayed as Replayed,
)
from .sim.search.schedule import (
    Schedule as Schedule,
)
from .sim.verdict import (
    Outcome as Outcome,
)
from .sim.verdict import (
    Verdict as Verdict,
)
from .sim.worlds.faults import (
    InjectedFailure as InjectedFailure,
)
