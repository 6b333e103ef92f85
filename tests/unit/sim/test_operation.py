import pytest

from wavecheck.sim.operation import Kind, Operation, Statement, statement


class Store:
    @statement
    def move(self, source, target, amount=1):
        """Move something."""
        return source, target, amount

    @statement(kind=Kind.MESSAGE)
    def send(self, item):
        """Send something."""


def test_calling_a_statement_does_nothing_but_describe_it():
    """A call makes an operation that holds statement, owner and arguments."""
    store = Store()
    operation = store.move("a", "b")
    assert isinstance(operation, Operation)
    assert operation.statement.name == "move"
    assert operation.owner is store
    assert operation.args == ("a", "b")


def test_a_statement_keeps_name_and_docstring_of_its_method():
    """The awaitable form documents itself like the method that it wraps."""
    assert Store.move.__name__ == "move"
    assert Store.move.__doc__ == "Move something."


def test_awaiting_yields_the_operation_and_returns_what_is_sent_back():
    """An await hands the operation out and takes its result in."""
    operation = Store().move("a", "b")

    async def task():
        return await operation

    coroutine = task()
    assert coroutine.send(None) is operation
    with pytest.raises(StopIteration) as stopped:
        coroutine.send("done")
    assert stopped.value.value == "done"


@pytest.mark.parametrize(
    ("kind", "cost"),
    [(Kind.STATEMENT, 1), (Kind.MESSAGE, 0), (Kind.SLEEP, 0), (Kind.EXTERNAL, 0)],
)
def test_only_statements_are_counted(kind, cost):
    """A statement costs one; a message, a sleep and an external event cost nothing."""
    assert Statement(len, kind, None, None).cost == cost


def test_keyword_arguments_are_passed_by_name_not_by_position():
    """Keywords in another order than the parameters reach the right parameters."""
    operation = Store().move(target="b", source="a")
    assert operation.statement.function(operation.owner, *operation.args) == (
        "a",
        "b",
        1,
    )


def test_a_keyword_after_a_skipped_default_reaches_its_own_parameter():
    """Positional and keyword arguments may be mixed as in any Python call."""
    operation = Store().move("a", amount=7, target="b")
    assert operation.statement.function(operation.owner, *operation.args) == (
        "a",
        "b",
        7,
    )


def test_a_guard_without_its_part_is_refused():
    """A guard must name the part whose changes can alter it."""
    with pytest.raises(AssertionError, match="a guard needs its part"):
        statement(enabled=lambda self: True)(Store.move)


def test_plain_is_what_has_no_guard_and_takes_a_latency():
    """Guarded, sleeping and external steps are not plain."""
    assert Store().move("a", "b").statement.is_plain
    assert Store().send("x").statement.is_plain
    assert not Statement(len, Kind.SLEEP, None, None).is_plain
    assert not Statement(len, Kind.EXTERNAL, None, None).is_plain
    guarded = Statement(len, Kind.STATEMENT, lambda self: True, lambda self: None)
    assert not guarded.is_plain
