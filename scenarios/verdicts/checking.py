"""Searching the schedules of a subject, and making small what is found.

Knows subjects, efforts and sessions; prints nothing. The wall clock is read here, for
the budget only: no result depends on it but how far the search got.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.result import CheckResult, Searched
from wavecheck.scenarios.verdicts.strategies import make_strategy
from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.errors import OutOfTime
from wavecheck.sim.property import Property, with_no_error
from wavecheck.sim.search.judgement import never_performed, verdicts_of
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.search.search import Search
from wavecheck.sim.search.session import Budget, Found, Session, Statistics
from wavecheck.sim.search.shrink import Shrinker
from wavecheck.sim.surroundings import machine_seconds
from wavecheck.sim.watchdog import WATCHDOG
from wavecheck.sim.world import World

LOOKING: Final = 0.7
"""The share of a budget in which violations are looked for: what is found is made small
and explained in the rest."""

SHRINKING: Final = 0.5
"""The share of what is left then that may be spent on making it small."""

_RESIZE_EXECUTIONS: Final = 400
_SERVER_SECONDS: Final = 20.0
"""Of making one counterexample small on a server, where nothing else ends it."""

_SAMPLES: Final = 8
_SAMPLE_STEPS_MAX: Final = 20_000
"""After so many recorded steps there are samples enough."""

SearchProgress = Callable[[Statistics, Mapping[str, Found]], None]
"""Called now and then with what was seen and what was found so far."""


def beginning(effort: Effort, *, is_proof: bool = False) -> Deadline:
    """Return the deadline of a search or a proof whose work begins now."""
    return effort.deadline(machine_seconds, is_proof=is_proof)


def session_of(
    effort: Effort,
    world: World,
    judged: Sequence[Property],
    deadline: Deadline = NO_DEADLINE,
) -> Session:
    """Return a session that has just begun, and ends when looking must end."""
    budget, left = effort.budget(), deadline.seconds_left()
    if left != math.inf:
        budget = replace(budget, seconds=max(left, 1e-3))
    return Session(
        world,
        judged,
        budget,
        machine_seconds,
        stops_at_first=effort.stops_at_first,
    )


def search_subject(
    subject: Subject,
    effort: Effort,
    search: Search,
    progress: SearchProgress | None = None,
    deadline: Deadline | None = None,
) -> CheckResult:
    """Search the schedules of a subject for violations.

    Args:
        subject: what is under test.
        effort: how hard.
        search: runs the executions; a fresh one.
        progress: called now and then.
        deadline: of this and of what follows; by the effort if not given.

    Returns:
        The verdicts with their evidence. Ctrl-C ends the search, not the call.
    """
    deadline = deadline or beginning(effort)
    with deadline.enforced():
        world = subject.world()
        judged = subject.judged(world)
    looking = deadline.share(LOOKING)
    session = session_of(effort, world, judged, looking)
    session.progress = progress
    was_interrupted = False
    schedules: dict[str, Schedule] = {}
    try:
        with (
            suppress(OutOfTime),
            deadline.enforced(),
            looking.watching(world.kernel),
        ):
            search.run(session)
        statistics = session.statistics()
        for name, found, until in sharing(session.found, deadline):
            schedules[name] = smallest(
                subject, name, found, shrinks=effort.shrinks, deadline=until
            )
    except KeyboardInterrupt:
        was_interrupted = True
        deadline.cut_short()
        statistics = session.statistics()
        for name, found in session.found.items():
            if name not in schedules:
                schedules[name] = smallest(subject, name, found, shrinks=False)
    return CheckResult(
        subject=subject,
        effort=effort,
        verdicts=verdicts_of(session, judged, is_proved=search.proved()),
        schedules=schedules,
        searched=Searched(
            statistics=statistics,
            first_found=dict(session.first_found),
            best_found=dict(session.found),
            samples=_samples(subject, effort.seed, deadline),
            never_performed=never_performed(world),
            note=search.note or WATCHDOG.why_not,
            limit=deadline.reason() if deadline.is_full() else "",
        ),
        was_interrupted=was_interrupted,
    )


def sharing(
    found: Mapping[str, Found], deadline: Deadline
) -> Iterator[tuple[str, Found, Deadline]]:
    """Yield (name, found, when shrinking it ends); something is left for explaining."""
    for number, (name, one) in enumerate(found.items()):
        yield name, one, deadline.share(SHRINKING / (len(found) - number))


def smallest(
    subject: Subject,
    property_name: str,
    found: Found,
    *,
    shrinks: bool,
    deadline: Deadline = NO_DEADLINE,
) -> Schedule:
    """Shrink the world while the property can still be violated, then the schedule.

    What is smallest when the deadline comes is the result.
    """
    if subject.server is not None and deadline.seconds_left() == math.inf:
        deadline = Deadline(_SERVER_SECONDS, machine_seconds)
    subject = subject.resized(found.sizes)
    choices: Sequence[int] = found.choices
    if not shrinks or deadline.is_over():
        return subject.record(RecordedChoices(choices), property_name)
    with suppress(OutOfTime), deadline.enforced():
        is_smaller = True
        while is_smaller:
            is_smaller = False
            for smaller in subject.smaller():
                hit = _search_small(smaller.world(), property_name, deadline)
                if hit is not None:
                    subject, choices, is_smaller = smaller, hit, True
                    break
    world = subject.world()
    shrinker = Shrinker(world, property_name, deadline=deadline)
    with (
        suppress(OutOfTime),
        deadline.enforced(),
        deadline.watching(world.kernel),
    ):
        shrinker.shrink(choices)
    if shrinker.smallest is not None:
        choices = shrinker.smallest.choices
    return subject.record(RecordedChoices(choices), property_name)


def _samples(subject: Subject, seed: int, deadline: Deadline) -> tuple[Schedule, ...]:
    walk = RandomWalk(seed)
    samples: list[Schedule] = []
    steps_count = 0
    with suppress(OutOfTime), deadline.enforced():
        while len(samples) < _SAMPLES and steps_count < _SAMPLE_STEPS_MAX:
            sample = subject.sample(walk, deadline)
            if sample is None:
                break
            samples.append(sample)
            steps_count += len(samples[-1].steps)
    return tuple(samples)


def _search_small(
    world: World, property_name: str, deadline: Deadline
) -> Sequence[int] | None:
    if deadline.is_over():
        raise OutOfTime
    known = with_no_error(world.properties)
    judged = [one for one in known if one.name == property_name]
    budget = Budget(executions=_RESIZE_EXECUTIONS)
    session = Session(world, judged, budget, lambda: 0.0, stops_at_first=True)
    with deadline.watching(world.kernel):
        session.search(make_strategy("portfolio", 0))
    found = session.found.get(property_name)
    return None if found is None else found.choices
