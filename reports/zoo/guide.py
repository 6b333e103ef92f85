"""The pattern guide: how to recognise each root of a fault, and what fixes it.

The words are ours; interleavings and prices are made from the exhibits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wavecheck.reports.explanation.text import explanation_markdown
from wavecheck.scenarios.exhibit import Pattern
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.examination import Examination, FoundFault
from wavecheck.sim.search.explain import explain

_INTRODUCTION: Final = """\
# Pattern guide

Nearly all faults of the [zoo](zoo.md) grow from one of seven roots. For each: how to
recognise it in your own code, the smallest interleaving in the zoo, what fixes it, and
what the fix costs. This page is made by

    wavecheck zoo --guide docs/patterns.md

The price is counted, not estimated: the statements of one execution of the same story
in which whoever has waited longest is next, as it was and as fixed. A lower number can
mean that the fix made one statement of two.
"""


@dataclass(frozen=True, slots=True)
class _Advice:
    """What the guide says about one root, beside what is made.

    Attributes:
        recognise: how it looks in code.
        ask: the question that finds it in a review.
        fix: what helps, and what does not.
    """

    recognise: str
    ask: str
    fix: str


_ADVICE: Final[Mapping[Pattern, _Advice]] = {
    Pattern.COUNTED_EARLY: _Advice(
        "A completion test compares what is done with what is *there*: `pending == 0`,"
        " `all(child.done for child in batch)`, `joined == size`. Whatever adds to the"
        " batch does so piece by piece, while workers are running already.",
        "Can the test be true before the last one was added?",
        "Say when no more will come, in the same store that the test reads: a *seal*, a"
        " count of one that the adder holds until it is done, or all of it registered"
        " in one statement before the first is sent. A flag alone is not enough: who"
        " sets it must look as well, because the last job may have ended just before.",
    ),
    Pattern.NOBODY_RECHECKS: _Advice(
        "Somebody reads *not yet*, or *somebody else is at it*, and leaves. The other"
        " one finishes without another look: `if running: return`, `if status =="
        " 'pending': return`, a blocked row that is committed after the last release.",
        "After I have left because of what I read, who will look again, and after which"
        " of my steps?",
        "Make leaving and the other one's last look exclude each other: look again"
        " *after* giving up the flag, or decide in the statement that parks you (a row"
        " lock, a compare-and-set on a version). Reading fresh data instead of a cached"
        " copy is right and does not help.",
    ),
    Pattern.UNGUARDED_UPDATE: _Advice(
        "A `SELECT` decides, and an `UPDATE ... WHERE id = ?` acts. Between the two any"
        " other process may act on the same row. With two schedulers, two retries or"
        " two polls it will.",
        "If the row has changed since I read it, does my write still happen?",
        "Repeat what was read in the `WHERE` and look at the number of rows: the one"
        " who changes it has the claim. A lock over both statements does the same."
        " Where an order matters too, the lock must decide *which* row may be selected,"
        " not only who gets it.",
    ),
    Pattern.CALLBACK_NOT_ARMED: _Advice(
        "Whoever comes last calls back: but the callback is stored after the work was"
        " sent, the link to it is made for something that has ended, or two can both be"
        " last. A process can die between *last* and *call*.",
        "Can the last one come before the callback is there, twice, or die before it"
        " calls?",
        "Arm first, then send. Where that cannot be, arm and look, and let a claim"
        " decide who calls: taking the callback out of its place, or setting"
        " `finished_at` where it is null. Against death, note the end by id and enqueue"
        " the callback in one transaction.",
    ),
    Pattern.MISCOUNTED: _Advice(
        "A number goes up and down by one in different places: pending jobs, slots in"
        " use, references. Some path misses its step (an abort, a lost race, a"
        " cancellation), or takes it twice (a redelivery).",
        "Which paths lead out, and does each of them count exactly once, also when the"
        " same message comes again?",
        "Count by identity: remove an id from a set, delete a row, and let only the one"
        " who removed it go on. Give slots back on every path, in a place that all of"
        " them pass. Never test for equality with zero what can jump.",
    ),
    Pattern.LIVE_OWNER: _Advice(
        "A rescuer, pruner or reaper takes something from its owner because time has"
        " passed. The owner may be alive: slow, paused, or cut off for a moment. Its"
        " last statements still come.",
        "What happens if the owner is alive, and ends right now?",
        "Let every statement of an owner name its claim (an attempt, a *fencing token*)"
        " and do nothing if that is no longer the current one; the rescuer likewise. A"
        " guard on the state alone confuses one attempt with the next. Time alone is no"
        " proof of death: ask for a heartbeat, and keep the fence all the same.",
    ),
    Pattern.POISONED_BULK: _Advice(
        "One statement moves many rows, and one row can make it fail: a unique index, a"
        " check, a lock. The same rows are selected at the next attempt.",
        "If this statement fails because of one row, what is different next time?",
        "Fall back to row by row when the bulk fails, and put what cannot be moved out"
        " of the way (skip it, discard it, mark it), so that it is not selected again.",
    ),
}


def pattern_guide(examinations: Sequence[Examination]) -> str:
    """Return the page.

    Args:
        examinations: of every exhibit of the zoo.
    """
    return "\n".join([_INTRODUCTION, *(_section(one, examinations) for one in Pattern)])


def _section(pattern: Pattern, examinations: Sequence[Examination]) -> str:
    own = [one for one in examinations if one.exhibit.pattern is pattern]
    advice = _ADVICE[pattern]
    smallest = min(
        (found for one in own for found in one.findings),
        key=lambda found: (len(found.schedule.steps), found.schedule.scenario),
    )
    return "\n".join(
        [
            f"## {pattern.value[0].upper()}{pattern.value[1:]}\n",
            f"**Recognise it.** {advice.recognise}\n",
            f"**Ask.** {advice.ask}\n",
            f"**The smallest interleaving**, of `{smallest.schedule.scenario}`:\n",
            _told(smallest),
            f"**Fix it.** {advice.fix}\n",
            "**The price**, in statements:\n",
            _prices(own),
        ]
    )


def _told(found: FoundFault) -> str:
    schedule = found.schedule
    world = Subject.of_schedule(schedule).world()
    text = explanation_markdown(explain(world, schedule))
    heading, _, rest = text.partition("\n")  # a page of its own; here a part of one
    return f"#### {heading.lstrip('# ')}\n{rest}"


def _prices(own: Sequence[Examination]) -> str:
    lines = ["| exhibit | as it was | fixed |", "| --- | ---: | ---: |"]
    counts: dict[str, dict[str, int]] = {}
    for one in own:
        counts.setdefault(one.exhibit.name, {})[one.variant] = one.statements
    for name, by_variant in counts.items():
        original = next(iter(by_variant.values()))
        lines.append(f"| `{name}` | {original} | {by_variant['fixed']} |")
    return "\n".join(lines) + "\n"
