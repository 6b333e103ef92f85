"""The published report's claims, judged on what was measured.

A claim is supported, contradicted, or not decided by the runs at hand. Nothing here is
taken from the report but the claim itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from statistics import fmean
from typing import Final

from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.sim.kernel import TICKS_PER_SECOND
from wavecheck.sim.verdict import Outcome

Runs = Mapping[str, TimedRun]
Finding = tuple[bool, str] | None
"""Whether the claim holds, and what was measured; None: these runs do not decide it."""


class ClaimAnswer(Enum):
    """What the runs say of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_DECIDED = "not decided here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim and its answer.

    Attributes:
        text: the claim, in our words.
        answer: supported, contradicted or not decided.
        measured: the numbers behind the answer.
    """

    text: str
    answer: ClaimAnswer
    measured: str


def judge_claims(runs: Runs) -> tuple[Claim, ...]:
    """Judge every claim on the runs at hand, by coordinator name."""
    claims = []
    for text, check in _CLAIMS:
        finding = check(runs)
        if finding is None:
            answer, measured = ClaimAnswer.NOT_DECIDED, ""
        else:
            answer = ClaimAnswer.SUPPORTED if finding[0] else ClaimAnswer.CONTRADICTED
            measured = finding[1]
        claims.append(Claim(text=text, answer=answer, measured=measured))
    return tuple(claims)


def _is_violated(run: TimedRun, name: str) -> bool:
    return run.verdict(name).outcome is Outcome.VIOLATED


def _both_fixes(runs: Runs) -> Finding:
    """Decide the 2x2 of the two published fixes."""
    names = ("original", "stalling", "premature", "progressive")
    if not all(name in runs for name in names):
        return None
    strands = [_is_violated(runs[name], "no_stranded_batch") for name in names]
    early = [_is_violated(runs[name], "no_premature_completion") for name in names]
    completions = [runs[name].verdict("no_premature_completion") for name in names]
    if all(one.outcome is Outcome.NOT_TESTED for one in completions):
        return None  # nothing was ever completed: the first fix is not in play
    measured = "; ".join(
        f"{name}: {'strands' if one else 'strands none'},"
        f" {'completes early' if two else 'completes in time'}"
        for name, one, two in zip(names, strands, early, strict=True)
    )
    faulty = [one or two for one, two in zip(strands, early, strict=True)]
    return faulty == [True, True, True, False], measured


def _all_dispatched(runs: Runs) -> Finding:
    if "progressive" not in runs:
        return None
    run = runs["progressive"]
    pending = run.batches_by_status["pending"]
    return (
        not _is_violated(run, "no_stranded_batch"),
        f"progressive: {run.messages_count} sent, {pending} pending at the end",
    )


def _one_statement_more(runs: Runs) -> Finding:
    """Compare calls that find a wave under way and have nothing to send."""
    if not ("stalling" in runs and "progressive" in runs):
        return None
    cost = {}
    for name in ("stalling", "progressive"):
        idle = [
            call.statements
            for call in runs[name].calls
            if call.was_processing and call.batches_dispatched == 0
        ]
        if not idle:
            return None
        cost[name] = min(idle)
    more = cost["progressive"] - cost["stalling"]
    return (
        more == 1,
        f"an idle call in a processing wave: {cost['progressive']} statements in"
        f" progressive, {cost['stalling']} in stalling",
    )


def _fewer_redundant_calls(runs: Runs) -> Finding:
    if not ("stalling" in runs and "progressive" in runs):
        return None
    idle = {
        name: sum(call.batches_dispatched == 0 for call in runs[name].calls)
        for name in ("stalling", "progressive")
    }
    total = {name: runs[name].statements_count for name in idle}
    return (
        total["progressive"] <= total["stalling"],
        f"calls that send nothing: {idle['stalling']} in stalling,"
        f" {idle['progressive']} in progressive; statements in total:"
        f" {total['stalling']} and {total['progressive']}",
    )


def _earlier_start(runs: Runs) -> Finding:
    if not ("progressive" in runs and "upfront" in runs):
        return None
    early = runs["progressive"].first_derived_dispatch
    late = runs["upfront"].first_derived_dispatch
    if early is None or late is None:
        return None
    return (
        early < late,
        f"first derived dispatch after {early / TICKS_PER_SECOND:.3f} s in progressive,"
        f" {late / TICKS_PER_SECOND:.3f} s in upfront",
    )


def _fewer_held_ids(runs: Runs) -> Finding:
    if not ("progressive" in runs and "upfront" in runs):
        return None
    few, many = runs["progressive"].held_ids_max, runs["upfront"].held_ids_max
    if few == many == 0:
        return None
    return few < many, f"at most {few} ids held in progressive, {many} in upfront"


def _calls_alert_means_trouble(runs: Runs) -> Finding:
    fired = [
        (run.coordinator_name, alert.is_right)
        for run in runs.values()
        for alert in run.alerts
        if alert.name == "many_dispatch_calls"
    ]
    if not fired:
        return None
    false_alarms = [name for name, is_right in fired if not is_right]
    return (
        not false_alarms,
        f"fired for {len(fired)} coordinators, a false alarm for"
        f" {len(false_alarms)}: {', '.join(false_alarms) or 'none'}",
    )


def _no_duplicates(runs: Runs) -> Finding:
    if "progressive" not in runs:
        return None
    calls = runs["progressive"].calls
    if not calls or fmean(call.batches_dispatched for call in calls) == 0:
        return None
    if _is_violated(runs["progressive"], "no_double_dispatch"):
        violation = runs["progressive"].verdict("no_double_dispatch").violation
        assert violation is not None
        return False, violation.message
    return None  # one timed run proves nothing: `wavecheck check` searches


_CLAIMS: Final[tuple[tuple[str, Callable[[Runs], Finding]], ...]] = (
    ("both fixes are needed", _both_fixes),
    ("the published end state dispatches every batch", _all_dispatched),
    ("the published end state dispatches no batch twice", _no_duplicates),
    ("it costs one more statement per call in a processing wave", _one_statement_more),
    ("it makes the redundant calls cheaper", _fewer_redundant_calls),
    ("progressive creation starts derived batches earlier", _earlier_start),
    ("progressive creation holds fewer parent ids", _fewer_held_ids),
    ("more than 100 dispatch calls mean trouble", _calls_alert_means_trouble),
)
