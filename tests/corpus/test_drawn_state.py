"""Drawn programs that keep something: whatever is proved, no schedule contradicts."""

import functools
import random
import sys
import types

import pytest

from wavecheck.sim.verdict import Outcome

DOES = (
    *("s.a += 1", "s.a = n", "s.a = 0", "s.b = s.a", "s.b += n", "s.b = max(s.b, n)"),
    *("s.a = (s.a + 1) % 3", "s.d[n] = 1", "s.d.setdefault(n, []).append(1)"),
    *("s.d.pop(n, None)", "s.e = s.e or [n]", "s.e = None", "x = s.e", "s.e = x"),
    *("s.t.add(n)", "s.t.discard(n)", "G['x'] = G.get('x', 0) + 1", "G[n] = n"),
    *("G.pop(0, None)", "f(n)", "s.c = s.c or Box(n)", "x = s.c"),
    *("s.c.v += 1", "C.k += 1", "C.k = n"),
)
ASKS = (
    *("s.a == 2", "s.a > 1", "n in s.d", "len(s.d) == 2", "s.t == {0, 1}", "C.k == 2"),
    *("len(s.d.get(n, ())) > 1", "s.e is not None and s.e[0] != n", "s.b != n"),
    *("G.get('x', 0) == 3", "0 in G and 1 in G", "s.c is not None and s.c.v > 2"),
    *("s.b == 5", "x is not None and x is not s.e", "next(iter(s.d), n) != n"),
    *("s.b > 1 and s.a == 0", "f.cache_info().hits > 400", "False", "False"),
)
MODULE = """
G = {}

class C:
    k = 0

@functools.lru_cache(maxsize=2)
def f(n):
    return n

async def flow(store, s):
    n, x = 0, None
"""
PROGRAMS = 60


class Box:
    """Holds a number."""

    def __init__(self, v):
        self.v = v


class Service:
    """What the drawn programs keep things in."""

    def __init__(self):
        self.a, self.b, self.c, self.d, self.e, self.t = 0, 0, None, {}, None, set()


def drawn(seed):
    """Return a program: things done, and asked, between three statements."""
    source, lines = random.Random(seed), []
    for last in ("n = await store.either()", "await store.read()", "pass"):
        for _ in range(source.choice([0, 1, 1, 2])):
            does = source.choice(DOES)
            if source.random() < 0.35:
                does = f"if {source.choice(ASKS)}: {does}"
            lines += ["try:", f"    {does}", "except AttributeError:", "    pass"]
        lines.append(last)
        lines.append(f"if {source.choice(ASKS)}: await store.write_bad()")
    return MODULE + "\n".join(f"    {line}" for line in lines)


@pytest.mark.parametrize("first", range(0, PROGRAMS, 20))
def test_no_drawn_program_is_proved_that_some_schedule_makes_bad(
    corpus, monkeypatch, first
):
    """All schedules are run twice, since modules keep state between executions."""
    proved = 0
    for seed in range(first, first + 20):
        module = types.ModuleType(f"drawn_{seed}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        text = drawn(seed)

        def world(module=module):
            return corpus.World(module.flow, begin=Service)

        def load(module=module, text=text):
            vars(module).update(Box=Box, functools=functools)
            exec(text, vars(module))

        load()
        is_bad = corpus.is_violated(world()) or corpus.is_violated(world())
        load()
        verdict = corpus.verdict(world)
        assert not (is_bad and verdict is Outcome.PROVED), text
        proved += verdict is Outcome.PROVED
    assert proved > 2
