"""Damage checkpoints, and see that none is accepted.

python -m tests.fuzz.checkpoints --cases 3000
"""

import argparse
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from wavecheck.scenarios.wd.model import WD, WDSettings
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive import Limits, explore
from wavecheck.sim.kernel import Kernel


def wd(rule="stalling", **sizes):
    """Return a small world whose proof takes several levels."""
    return WD.build(Kernel(timed=False), WD.coordinators[rule], WDSettings(**sizes))


def keep(folder, world, states_max):
    """Leave the checkpoint of a proof that was cut short."""
    folder.mkdir()
    limits = Limits(states_max=states_max)
    explore(world, limits=limits, directory=folder, checkpoints=True)


# Each takes a folder, a source of chance and another sound folder ----------------


def _some(folder, rng):
    return rng.choice([path for path in sorted(folder.iterdir()) if path.is_file()])


def flip_a_bit(folder, rng, other):
    """Flip one bit of one file."""
    path = _some(folder, rng)
    data = bytearray(path.read_bytes())
    place = rng.randrange(len(data) * 8)
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


def change_bytes(folder, rng, other):
    """Write noise over a part of one file."""
    path = _some(folder, rng)
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data))
    noise = rng.randbytes(rng.randint(1, 64))
    data[start : start + len(noise)] = noise
    path.write_bytes(data)


def truncate(folder, rng, other):
    """Cut the end off one file, or all of it."""
    path = _some(folder, rng)
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice((0, 1, rng.randrange(len(data))))])


def append(folder, rng, other):
    """Add bytes to one file."""
    path = _some(folder, rng)
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randint(1, 99)))


def remove(folder, rng, other):
    """Delete one file."""
    _some(folder, rng).unlink()


def exchange(folder, rng, other):
    """Exchange two files."""
    one, two = rng.sample(sorted(folder.iterdir()), 2)
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)


def take_from_another(folder, rng, other):
    """Take a file of the same name from another world's checkpoint."""
    path = _some(other, rng)
    (folder / path.name).write_bytes(path.read_bytes())


def make_a_folder(folder, rng, other):
    """Put a folder in the place of a file."""
    path = _some(folder, rng)
    path.unlink()
    path.mkdir()


def say_another_version(folder, rng, other):
    """Change the number of the version."""
    path = folder / "checkpoint"
    title, _, rest = path.read_bytes().partition(b"\n")
    number = str(rng.choice((0, 1, 3, 20, 999))).encode()
    path.write_bytes(title[:-1] + number + b"\n" + rest)


DAMAGES = (
    *(flip_a_bit, flip_a_bit, change_bytes, truncate, append, remove, exchange),
    *(take_from_another, make_a_folder, say_another_version),
)


class Checkpoints:
    """Sound checkpoints in a folder, and damaged copies of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sound = []
        for number, states_max in enumerate((20, 60, 150)):
            keep(folder / f"sound-{number}", wd(), states_max)
            self.sound.append(folder / f"sound-{number}")
        keep(folder / "other", wd(listeners=3), 150)
        self.whole = explore(wd())

    def refused(self, seed: int) -> str:
        """Damage a copy and prove again; return the kind of damage.

        Raises:
            AssertionError: the damage was accepted, or something else came of it.
        """
        rng = random.Random(seed)
        damaged = self.folder / "damaged"
        sound = rng.choice(self.sound)
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(sound, damaged)
        damage = rng.choice(DAMAGES)
        damage(damaged, rng, self.folder / "other")
        if self._is_as_before(sound, damaged):
            return "nothing changed"
        try:
            explore(wd(), directory=damaged, checkpoints=True)
        except InvalidScenario as error:
            if "checkpoint" in str(error):
                return damage.__name__
            raise AssertionError(f"seed {seed}: {error}") from error
        except Exception as error:
            raise AssertionError(
                f"seed {seed}, {damage.__name__}: {error!r}"
            ) from error
        raise AssertionError(f"seed {seed}: {damage.__name__} was accepted")

    @staticmethod
    def _is_as_before(sound: Path, damaged: Path) -> bool:
        return all(
            (damaged / path.name).is_file()
            and (damaged / path.name).read_bytes() == path.read_bytes()
            for path in sorted(sound.iterdir())
        )


def main() -> None:
    """Damage as many as asked for, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.checkpoints")
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        seeds = range(given.seed, given.seed + given.cases)
        counts = Counter(checkpoints.refused(seed) for seed in seeds)
    for name, count in sorted(counts.items()):
        print(f"{name:24} {count:6} refused" if name != "nothing changed" else name)


if __name__ == "__main__":
    main()
