"""Schedules for other tools: each output is read back by the rules of its format."""

import csv
import json
import re
from io import BytesIO, StringIO

import networkx as nx
import pytest

import wavecheck as wc
from wavecheck.reports.export import csv_text, graphml, mermaid, perfetto, shiviz
from wavecheck.reports.export.shiviz import EXPRESSION

EVENT = re.compile(EXPRESSION.replace("(?<", "(?P<"))


@pytest.mark.parametrize("write", [mermaid, perfetto, shiviz])
def test_the_same_schedule_gives_the_same_bytes(write, schedule):
    """Written twice, alike; and it ends with the end of a line."""
    assert write(schedule) == write(schedule)
    assert write(schedule).endswith("\n")


# ShiViz -------------------------------------------------------------------------


def parsed(log):
    """The events of a log, as ShiViz's default expression finds them."""
    events = [match.groupdict() for match in EVENT.finditer(log)]
    assert len(events) * 2 == len(log.split("\n")) - 1, "every line is of an event"
    return [(one["event"], one["host"], json.loads(one["clock"])) for one in events]


def test_shiviz_reads_every_line(both):
    """Two lines for each step, hostile names included; hosts stay apart."""
    for schedule in both:
        events = parsed(shiviz(schedule))
        assert len(events) == len(schedule.steps)
        tasks = dict.fromkeys(step.task for step in schedule.steps)
        assert len({host for _, host, _ in events}) == len(tasks)


def test_the_clocks_say_exactly_what_happens_before(both):
    """One clock is below another if and only if a path leads there."""
    for schedule in both:
        events = parsed(shiviz(schedule))
        order = nx.transitive_closure(wc.happens_before(schedule))
        for later, (_, host, clock) in enumerate(events, start=1):
            own = [one for _, one, _ in events[:later] if one == host]
            assert clock[host] == len(own), "a host counts its own events"
            for earlier, (_, _, other) in enumerate(events[: later - 1], start=1):
                is_below = all(clock.get(name, 0) >= n for name, n in other.items())
                assert is_below == order.has_edge(earlier, later)


# Mermaid ------------------------------------------------------------------------

LABEL = r"(?:[^\W_]|[ .,()\[\]=_/+\-'?!|]|#\d+;)*"
LINES = [
    r"sequenceDiagram",
    rf"    participant (?:t\d+|shared) as {LABEL}",
    rf"    Note over (?:t\d+,)?shared: {LABEL}",
    rf"    t\d+->>shared: {LABEL}",
    rf"    shared-->>t\d+: {LABEL}",
]


def test_mermaid_has_no_line_that_could_mean_something_else(both):
    """Every line is one of five forms; what is not plain is a numbered entity."""
    for schedule in both:
        lines = mermaid(schedule).splitlines()
        odd = [one for one in lines if not re.fullmatch("|".join(LINES), one)]
        assert not odd
        arrows = [one for one in lines if "->>" in one]
        assert len(arrows) == len(schedule.steps)


def test_mermaid_shows_what_is_marked(schedule):
    """The stale read, the point of no return and the violation are notes."""
    text = mermaid(schedule)
    for mark in ("reads", "no return", "makes it stale", "acts on it, VIOLATED"):
        assert re.search(rf"Note over t\d+,shared: .*{mark}", text)


# Perfetto -----------------------------------------------------------------------

REQUIRED = {
    "M": {"name", "pid", "args"},
    "X": {"name", "cat", "ts", "dur", "pid", "tid"},
    "i": {"name", "ts", "pid", "tid", "s"},
    "s": {"name", "cat", "id", "ts", "pid", "tid"},
    "f": {"name", "cat", "id", "ts", "pid", "tid", "bp"},
    "b": {"name", "cat", "id", "ts", "pid", "tid"},
    "e": {"name", "cat", "id", "ts", "pid", "tid"},
    "C": {"name", "ts", "pid", "args"},
}


def trace_events(text):
    """The events, each with the keys that its phase needs and whole times."""
    events = json.loads(text)["traceEvents"]
    for event in events:
        assert REQUIRED[event["ph"]] <= event.keys()
        times = [event.get(key, 0) for key in ("ts", "dur", "pid", "tid")]
        assert all(type(one) is int and one >= 0 for one in times)
    return events


def holds(part, moment):
    """Whether a slice holds a moment of its own thread."""
    return (
        part["tid"] == moment["tid"]
        and part["ts"] <= moment["ts"] < part["ts"] + part["dur"]
    )


def test_a_step_is_a_slice_and_an_arrow_binds_to_slices(both):
    """One slice for each step, on the thread of its task; arrows go forward."""
    for schedule in both:
        events = trace_events(perfetto(schedule))
        slices = [one for one in events if one["ph"] == "X"]
        numbers = [one["args"]["step"] for one in slices]
        assert numbers == list(range(1, len(schedule.steps) + 1))
        names = {
            one["tid"]: one["args"]["name"]
            for one in events
            if one["name"] == "thread_name"
        }
        shown = [names[one["tid"]] for one in slices]
        assert shown == [step.task for step in schedule.steps]
        ends = {one["id"]: one for one in events if one["ph"] == "f"}
        starts = [one for one in events if one["ph"] == "s"]
        assert starts, "tasks meet somewhere, or nothing could go wrong"
        for one in starts:
            assert one["ts"] < ends[one["id"]]["ts"]
            for end in (one, ends[one["id"]]):
                assert sum(holds(part, end) for part in slices) == 1


# GraphML and CSV ------------------------------------------------------------------


def test_networkx_reads_the_order_back(both):
    """The same nodes and edges; attributes as text or JSON."""
    for schedule in both:
        order = wc.happens_before(schedule)
        read = nx.read_graphml(BytesIO(graphml(order).encode()), node_type=int)
        assert sorted(read.edges) == sorted(order.edges)
        assert read.nodes[1]["operation"] == order.nodes[1]["operation"]
        assert graphml(order) == graphml(wc.happens_before(schedule))


def test_networkx_reads_a_state_graph_back():
    """States, steps and what they violate; parallel edges are kept."""
    graph = wc.state_graph("wd", "progressive")
    read = nx.read_graphml(BytesIO(graphml(graph).encode()), node_type=int)
    assert read.number_of_nodes() == graph.number_of_nodes()
    assert read.number_of_edges() == graph.number_of_edges()
    violated = [data["violates"] for *_, data in read.edges(data=True)]
    assert any("no_double_dispatch" in json.loads(one) for one in violated)
    assert {type(data["level"]) for _, data in read.nodes(data=True)} == {int}


def test_csv_reads_back_what_was_written(both):
    """Quotes, line ends and commas in names survive; there is a row for each step."""
    for schedule in both:
        records = wc.replay(schedule).to_records()
        read = list(csv.DictReader(StringIO(csv_text(records), newline="")))
        assert [one["task"] for one in read] == [step.task for step in schedule.steps]
        assert [json.loads(one["args"]) for one in read] == [
            list(step.args) for step in schedule.steps
        ]
    assert csv_text([]) == ""
    assert csv_text([{"a": None, "b": True}]) == "a,b\r\n,true\r\n"
