import pytest

from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Counter, Flag, Queue, Table


@pytest.fixture
def books(untimed, book_type):
    """A table of three books on two shelves, its journal emptied."""
    for title, shelf, copies in [("b", "low", 1), ("c", "high", 2), ("a", "low", 3)]:
        untimed.books.insert(book_type(title, shelf, copies))
    untimed.kernel.journal.clear()
    return untimed.books


def titles(rows):
    return [row.title for row in rows]


# Table ------------------------------------------------------------------------


def test_rows_come_in_ascending_order_of_their_key(books):
    """Iteration, selection and snapshot are sorted by key, not by insertion."""
    assert titles(books) == ["a", "b", "c"]
    assert titles(books.select(shelf="low")) == ["a", "b"]
    assert titles(books.snapshot()) == ["a", "b", "c"]


def test_get_and_find_differ_only_where_there_is_no_row(books):
    """`get` raises KeyError and `find` returns None for a key that is not there."""
    assert books.get("a") is books.find("a")
    assert books.find("z") is None
    assert "a" in books
    assert "z" not in books
    with pytest.raises(KeyError, match="z"):
        books.get("z")


def test_a_second_row_with_the_same_key_is_refused(books, book_type):
    """A duplicate key raises, names table and key, and changes nothing."""
    before = books.snapshot()
    with pytest.raises(KeyError, match="books has a row with key 'a' already"):
        books.insert(book_type("a", "high", 9))
    assert books.snapshot() == before
    assert books.count(shelf="high") == 1


def test_an_unknown_column_is_refused(books, untimed):
    """Updating a column that does not exist raises and changes nothing."""
    before = books.snapshot()
    with pytest.raises(KeyError, match="books has no column 'pages'"):
        books.update("a", copies=9, pages=1)
    assert books.snapshot() == before
    assert untimed.kernel.journal == []


def test_an_update_of_a_missing_row_is_refused(books):
    """Updating or deleting a row that does not exist raises KeyError."""
    with pytest.raises(KeyError, match="z"):
        books.update("z", copies=1)
    with pytest.raises(KeyError, match="z"):
        books.delete("z")


def test_an_index_follows_updates_and_deletes(books):
    """Indexed counts and selections agree with the rows after every mutation."""
    books.update("b", shelf="high")
    assert books.count(shelf="low") == 1
    assert titles(books.select(shelf="high")) == ["b", "c"]
    books.update("b", copies=7)
    assert books.select(shelf="high")[0].copies == 7
    books.delete("c")
    assert titles(books.select(shelf="high")) == ["b"]
    assert books.select(shelf="cellar") == []
    assert books.count(shelf="cellar") == 0


def test_a_query_without_an_index_gives_the_same_answer(books):
    """Columns without an index are scanned; the rows are the same, and sorted."""
    assert titles(books.select(copies=3)) == ["a"]
    assert titles(books.select(copies=1, shelf="low")) == ["b"]
    assert titles(books.select(shelf="low", copies=1)) == ["b"]
    assert books.count(copies=5) == 0


def test_a_query_without_columns_covers_every_row(books):
    """No column given means no condition: all rows, still sorted."""
    assert books.count() == 3
    assert titles(books.select()) == ["a", "b", "c"]


def test_a_query_for_an_unknown_column_names_it(books):
    """A selection by a column that does not exist raises and shows its name."""
    with pytest.raises((KeyError, ValueError), match="pages"):
        books.select(pages=1)


def test_an_index_over_two_columns_is_used_and_kept(book_type):
    """An index over several columns answers for exactly these columns."""
    table = Table(
        Kernel(timed=False),
        "books",
        book_type,
        key=("title",),
        indexes=(("shelf", "copies"),),
    )
    table.insert(book_type("a", "low", 1))
    table.insert(book_type("b", "low", 2))
    table.update("a", copies=2)
    assert titles(table.select(shelf="low", copies=2)) == ["a", "b"]
    assert table.count(shelf="low", copies=1) == 0


def test_a_key_of_two_columns_is_a_pair(book_type):
    """A composite key is the tuple of its columns, in the order given."""
    table = Table(Kernel(timed=False), "t", book_type, key=("shelf", "title"))
    table.insert(book_type("a", "low", 1))
    assert table.get(("low", "a")).copies == 1


def test_every_mutation_is_one_change_in_the_journal(books, untimed, book_type):
    """Insert, update and delete write (part, key, before, after), in order."""
    row = book_type("d", "low", 1)
    books.insert(row)
    books.update("d", copies=2)
    books.delete("d")
    after = row._replace(copies=2)
    assert untimed.kernel.journal == [
        (books, "d", None, row),
        (books, "d", row, after),
        (books, "d", after, None),
    ]


def test_an_equal_value_is_no_change(books, untimed):
    """Setting a column to what it is leaves no trace in the journal."""
    books.update("a", copies=3)
    assert untimed.kernel.journal == []


def test_restore_sets_rows_and_indexes_without_a_change(books, untimed, book_type):
    """After a restore the rows and every index are as they were at the snapshot."""
    before = books.snapshot()
    books.delete("a")
    books.update("b", shelf="high")
    books.insert(book_type("z", "low", 1))
    untimed.kernel.journal.clear()
    books.restore(before)
    assert books.snapshot() == before
    assert titles(books.select(shelf="low")) == ["a", "b"]
    assert titles(books.select(shelf="high")) == ["c"]
    assert untimed.kernel.journal == []
    books.update("a", shelf="high")
    assert titles(books.select(shelf="high")) == ["a", "c"]


def test_rewind_goes_back_to_the_mark(books):
    """A part that was marked returns to the mark however often it is rewound."""
    books.mark()
    before = books.snapshot()
    for _ in range(2):
        books.delete("a")
        books.rewind()
        assert books.snapshot() == before


# Queue ------------------------------------------------------------------------


def test_a_queue_gives_items_in_the_order_they_came(untimed):
    """First in, first out; the length and the journal follow."""
    queue = untimed.queue
    for item in ("x", "y", "x"):
        queue.put(item)
    assert len(queue) == 3
    assert [queue.take() for _ in range(3)] == ["x", "y", "x"]
    assert untimed.kernel.journal == [
        (queue, "x", None, "x"),
        (queue, "y", None, "y"),
        (queue, "x", None, "x"),
        (queue, "x", "x", None),
        (queue, "y", "y", None),
        (queue, "x", "x", None),
    ]


def test_an_empty_queue_has_nothing_to_take(untimed):
    """Taking from an empty queue raises IndexError and changes nothing."""
    with pytest.raises(IndexError):
        untimed.queue.take()
    assert untimed.kernel.journal == []


def test_a_queue_is_restored_in_order(untimed):
    """A snapshot holds the items, oldest first, and restores them so."""
    untimed.queue.put("x")
    untimed.queue.put("y")
    state = untimed.queue.snapshot()
    assert state == ("x", "y")
    untimed.queue.take()
    untimed.queue.restore(state)
    assert [untimed.queue.take(), untimed.queue.take()] == ["x", "y"]


# Counter and flag -------------------------------------------------------------


def test_a_counter_is_zero_until_something_is_added(untimed):
    """Unknown keys read zero; `add` returns the new value and writes a change."""
    counter = untimed.counter
    assert counter.get("k") == 0
    assert counter.add("k") == 1
    assert counter.add("k", 4) == 5
    assert counter.add() == 1
    assert counter.items() == [("k", 5), (None, 1)]
    assert untimed.kernel.journal == [
        (counter, "k", 0, 1),
        (counter, "k", 1, 5),
        (counter, None, 0, 1),
    ]


def test_counters_that_differ_only_in_zeros_have_one_state():
    """A key at zero equals a key never added to, and order does not matter."""
    kernel = Kernel(timed=False)
    one, other = Counter(kernel, "one"), Counter(kernel, "other")
    one.add("a")
    one.add("b")
    one.add("c", 0)
    other.add("b")
    other.add("a")
    assert one.snapshot() == other.snapshot() == (("a", 1), ("b", 1))
    other.add("a")
    other.restore(one.snapshot())
    assert other.get("a") == 1


def test_a_flag_changes_only_when_it_changes(untimed):
    """Setting a set flag writes nothing; each real change writes one entry."""
    flag = untimed.flag
    flag.set()
    flag.set()
    assert flag.is_set()
    flag.set(False)
    flag.set(False)
    assert not flag.is_set()
    assert untimed.kernel.journal == [
        (flag, None, False, True),
        (flag, None, True, False),
    ]


def test_a_flag_is_restored(untimed):
    """A snapshot of a flag is its value."""
    untimed.flag.set()
    state = untimed.flag.snapshot()
    untimed.flag.set(False)
    untimed.flag.restore(state)
    assert untimed.flag.is_set()


@pytest.mark.parametrize("part_type", [Counter, Queue, Flag])
def test_two_parts_of_one_name_are_our_fault(part_type):
    """Part names are unique in a kernel; the message asks for a report."""
    kernel = Kernel(timed=False)
    part_type(kernel, "twin")
    with pytest.raises(HarnessBug) as refused:
        part_type(kernel, "twin")
    assert str(refused.value) == (
        "two parts are called 'twin'\nthis is a fault of Wavecheck: please report it"
    )


def test_a_mark_of_the_kernel_covers_every_part(untimed, book_type):
    """Kernel.mark and Kernel.rewind save and bring back all parts together."""
    untimed.queue.put("x")
    untimed.counter.add("k", 2)
    untimed.flag.set()
    untimed.books.insert(book_type("a", "low", 1))
    untimed.kernel.mark()
    parts = untimed.kernel.parts
    before = {name: part.snapshot() for name, part in parts.items()}
    untimed.queue.take()
    untimed.counter.add("k")
    untimed.flag.set(False)
    untimed.books.update("a", copies=5)
    untimed.kernel.rewind()
    assert {name: part.snapshot() for name, part in parts.items()} == before
    assert list(parts) == ["counter", "queue", "flag", "books"]
