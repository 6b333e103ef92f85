"""The two listener policies, statement by statement."""

import pytest

from wavecheck.coordinator import ImportPlan, ProgressiveListener, UpfrontListener
from wavecheck.coordinator.listener import LISTENERS

COMPLETED = "count_batches(2, completed)"


def plan(**changed):
    """Ten parents in wave 2, four to a batch of wave 3, from half of them on."""
    values = {
        "job_id": "job",
        "parent_wave": 2,
        "derived_wave": 3,
        "parent_batches": 10,
        "parents_per_batch": 4,
        "threshold": 0.5,
    }
    return ImportPlan(**(values | changed))


@pytest.fixture
def parent_completed(follow):
    """Run a listener for the finished parent "p" on a script."""

    def run(listener_type, script, **changed):
        follow(
            [("accumulate_parents(('p',))", None), *script],
            lambda db: listener_type(db, plan(**changed)),
            lambda listener: listener.parent_completed(("p",)),
        )

    return run


@pytest.mark.parametrize(
    ("threshold", "completed", "is_past"),
    [
        (0.5, 4, False),
        (0.5, 5, True),
        (0.45, 4, False),
        (0.45, 5, True),
        (0.0, 1, True),
        (1.0, 9, False),
    ],
)
def test_nothing_is_created_below_the_threshold(
    parent_completed, threshold, completed, is_past
):
    """The share of completed parents must reach the threshold; equal is enough."""
    script = [(COMPLETED, completed)]
    if is_past:
        script += [("is_creation_finished()", False), ("count_accumulated()", 0)]
    parent_completed(ProgressiveListener, script, threshold=threshold)


def test_the_flag_spares_later_listeners_the_work(parent_completed):
    """With the flag set a listener neither counts nor takes ids."""
    script = [(COMPLETED, 10), ("is_creation_finished()", True)]
    parent_completed(ProgressiveListener, script)


def test_full_batches_are_created_and_leftovers_wait(parent_completed):
    """Nine ids give two batches of four; the ninth waits for the next parent."""
    parent_completed(
        ProgressiveListener,
        [
            (COMPLETED, 9),
            ("is_creation_finished()", False),
            ("count_accumulated()", 9),
            ("take_parents(4)", ("a", "b", "c", "d")),
            ("insert_derived_batch(3, ('a', 'b', 'c', 'd'))", "x1"),
            ("count_accumulated()", 5),
            ("take_parents(4)", ("e", "f", "g", "h")),
            ("insert_derived_batch(3, ('e', 'f', 'g', 'h'))", "x2"),
            ("count_accumulated()", 1),
            ("seal_wave(3)", False),
        ],
    )


def test_the_insert_that_covers_the_last_parent_seals(parent_completed):
    """Whoever inserted tries to seal, even with an old count of completed parents."""
    parent_completed(
        ProgressiveListener,
        [
            (COMPLETED, 9),
            ("is_creation_finished()", False),
            ("count_accumulated()", 4),
            ("take_parents(4)", ("a", "b", "c", "d")),
            ("insert_derived_batch(3, ('a', 'b', 'c', 'd'))", "x1"),
            ("count_accumulated()", 0),
            ("seal_wave(3)", True),
            ("set_creation_finished()", None),
        ],
    )


def test_a_listener_that_finds_the_cache_emptied_stops(parent_completed):
    """Another listener took the ids between the count and the take."""
    parent_completed(
        ProgressiveListener,
        [
            (COMPLETED, 9),
            ("is_creation_finished()", False),
            ("count_accumulated()", 4),
            ("take_parents(4)", ()),
        ],
    )


def test_the_last_parent_flushes_the_leftovers_and_seals(parent_completed):
    """With the last parent a partial batch is created, then seal, then flag."""
    parent_completed(
        ProgressiveListener,
        [
            (COMPLETED, 10),
            ("is_creation_finished()", False),
            ("take_parents(4)", ("a", "b")),
            ("insert_derived_batch(3, ('a', 'b'))", "x1"),
            ("take_parents(4)", ()),
            ("seal_wave(3)", True),
            ("set_creation_finished()", None),
        ],
    )


@pytest.mark.parametrize("listener_type", [ProgressiveListener, UpfrontListener])
def test_the_flag_is_set_only_by_who_sealed(parent_completed, listener_type):
    """A last listener whose wave is not covered yet leaves the flag alone."""
    script = [(COMPLETED, 10)]
    if listener_type is ProgressiveListener:
        script.append(("is_creation_finished()", False))
    script += [
        ("take_parents(4)", ("a",)),
        ("insert_derived_batch(3, ('a',))", "x1"),
        ("take_parents(4)", ()),
        ("seal_wave(3)", False),
    ]
    parent_completed(listener_type, script)


@pytest.mark.parametrize("listener_type", [ProgressiveListener, UpfrontListener])
def test_a_last_listener_that_inserted_nothing_seals_nothing(
    parent_completed, listener_type
):
    """The ids were taken by another listener: that one inserts, and that one seals."""
    script = [(COMPLETED, 10)]
    if listener_type is ProgressiveListener:
        script.append(("is_creation_finished()", False))
    parent_completed(listener_type, [*script, ("take_parents(4)", ())])


def test_upfront_creates_nothing_before_the_last_parent(parent_completed):
    """Nine of ten parents: every id is held."""
    parent_completed(UpfrontListener, [(COMPLETED, 9)], threshold=0.0)


def test_upfront_creates_everything_with_the_last_parent(parent_completed):
    """All ids, in batches of four and a rest, then seal, then flag."""
    parent_completed(
        UpfrontListener,
        [
            (COMPLETED, 10),
            ("take_parents(4)", ("a", "b", "c", "d")),
            ("insert_derived_batch(3, ('a', 'b', 'c', 'd'))", "x1"),
            ("take_parents(4)", ("e",)),
            ("insert_derived_batch(3, ('e',))", "x2"),
            ("take_parents(4)", ()),
            ("seal_wave(3)", True),
            ("set_creation_finished()", None),
        ],
    )


def test_the_policies_by_name():
    """The names that a coordinator class may give as its `listener_policy`."""
    assert LISTENERS["progressive"] is ProgressiveListener
    assert LISTENERS["upfront"] is UpfrontListener
