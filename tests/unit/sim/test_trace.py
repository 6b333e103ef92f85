import json
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO

import pytest

from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.trace import RowChange, Trace, plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Label:
    text: str
    copies: int


@pytest.fixture
def run_traced(toy_type, book_type):
    """Run a small program that uses every part; return (trace, its JSON lines)."""

    def run(key="k"):
        toy = toy_type(Kernel(latency=lambda operation: 10))
        toy.books.insert(book_type("a", "low", 1))
        toy.kernel.mark()
        lines = StringIO()
        trace = Trace(toy.kernel, lines=lines)

        async def program():
            await toy.add(key, 2)
            await toy.put("x")
            await toy.take()
            await toy.switch(True)
            await toy.kernel.sleep(5)
            with pytest.raises(KeyError):
                await toy.fail(KeyError("gone"))

        toy.kernel.spawn(program(), "main")
        toy.kernel.run_to_quiescence()
        return trace, lines.getvalue()

    return run


def test_every_step_has_number_time_task_operation_and_result(run_traced):
    """The steps of a run, one by one, as they were taken."""
    trace, _ = run_traced()
    seen = [
        (step.number, step.time, step.task, step.operation, step.kind, step.args)
        for step in trace
    ]
    assert seen[:5] == [
        (1, 10, "main", "add", "statement", ("k", 2)),
        (2, 20, "main", "put", "message", ("x",)),
        (3, 30, "main", "take", "message", ()),
        (4, 40, "main", "switch", "statement", (True,)),
        (5, 45, "main", "sleep", "sleep", (5,)),
    ]
    assert [step.result for step in list(trace)[:5]] == [2, None, "x", None, None]
    assert len(trace) == 6


def test_a_failed_statement_is_a_step_with_its_error(run_traced):
    """The result of a step that failed is the error, as text in JSON."""
    trace, lines = run_traced()
    assert isinstance(trace.steps[5].result, KeyError)
    last = json.loads(lines.splitlines()[-1])
    assert last["result"] == "KeyError: 'gone'"
    assert last["changes"] == []


def test_changes_name_part_key_and_columns(run_traced):
    """A counter, a queue and a flag show their change as before and after."""
    trace, _ = run_traced()
    assert [step.changes for step in list(trace)[:5]] == [
        (
            RowChange(
                part="counter",
                key="k",
                columns=(("value", 0, 2),),
                is_new=False,
                is_gone=False,
            ),
        ),
        (
            RowChange(
                part="queue",
                key="x",
                columns=(("value", None, "x"),),
                is_new=True,
                is_gone=False,
            ),
        ),
        (
            RowChange(
                part="queue",
                key="x",
                columns=(("value", "x", None),),
                is_new=False,
                is_gone=True,
            ),
        ),
        (
            RowChange(
                part="flag",
                key=None,
                columns=(("value", False, True),),
                is_new=False,
                is_gone=False,
            ),
        ),
        (),
    ]


def test_a_row_change_shows_the_columns_that_differ(toy_type, book_type):
    """Of an updated row only what changed; of a new or deleted row every column."""
    toy = toy_type(Kernel(timed=False))
    kernel = toy.kernel
    changes = []

    def listen(task, operation, result, journal):
        changes.extend(journal)

    trace = Trace(kernel)
    record = kernel.on_step

    def both(*details):
        record(*details)
        listen(*details)

    kernel.on_step = both
    toy.books.insert(book_type("a", "low", 1))
    toy.books.update("a", copies=2)
    toy.books.delete("a")
    kernel.spawn(toy.do(toy.note("x")), "task")
    kernel.run_to_quiescence()
    new, changed, gone = trace.steps[0].changes
    assert (new.is_new, new.is_gone, new.columns) == (
        True,
        False,
        (("title", None, "a"), ("shelf", None, "low"), ("copies", None, 1)),
    )
    assert (changed.is_new, changed.is_gone, changed.columns) == (
        False,
        False,
        (("copies", 1, 2),),
    )
    assert (gone.is_new, gone.is_gone) == (False, True)
    assert len(gone.columns) == 3


def test_the_json_lines_are_the_steps(run_traced):
    """One object a line, with the documented fields in the documented order."""
    trace, lines = run_traced()
    assert lines == "".join(step.to_json() + "\n" for step in trace)
    assert lines.splitlines()[0] == (
        '{"step": 1, "time": 10, "task": "main", "operation": "add",'
        ' "kind": "statement", "args": ["k", 2], "result": 2, "changes":'
        ' [{"part": "counter", "key": "k", "is_new": false, "is_gone": false,'
        ' "columns": {"value": [0, 2]}}]}'
    )


def test_the_digest_tells_traces_apart(run_traced):
    """Equal runs have equal digests; one other argument gives another digest."""
    assert run_traced()[0].digest() == run_traced()[0].digest()
    assert run_traced()[0].digest() != run_traced("other")[0].digest()


def test_a_trace_that_keeps_nothing_still_writes_and_digests(toy_type):
    """`keeps=False` bounds the memory and changes neither lines nor digest."""
    toy = toy_type(Kernel(timed=False))
    lines = StringIO()
    trace = Trace(toy.kernel, lines=lines, keeps=False)
    toy.kernel.spawn(toy.notes("a", 2), "a")
    toy.kernel.run_to_quiescence()
    assert len(trace) == 0
    assert len(lines.getvalue().splitlines()) == 2
    assert trace.digest() != Trace(Kernel()).digest()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (1.5, 1.5),
        ("é", "é"),
        (Colour.RED, "red"),
        ((1, ("a",)), [1, ["a"]]),
        ([Colour.RED], ["red"]),
        ({"k": (1,)}, {"k": [1]}),
        (ValueError("bad"), "ValueError: bad"),
        ({"b", "a"}, ["a", "b"]),
        (Label("x", 1), {"text": "x", "copies": 1}),
    ],
)
def test_plain_values(value, expected):
    """Each kind of value that a trace may hold, and what JSON makes of it."""
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value))) == expected


def test_a_row_is_written_with_its_column_names(book_type):
    """A named tuple becomes an object."""
    assert plain(book_type("a", "low", 1)) == {
        "title": "a",
        "shelf": "low",
        "copies": 1,
    }


def test_a_value_without_a_stable_text_is_refused():
    """An object has an address, which is another one in each process."""
    with pytest.raises(CoordinatorError, match=r"an object of builtins\.object"):
        plain(object())
