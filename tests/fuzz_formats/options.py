"""Options and settings at their extremes, and outputs that fail."""

import os
import resource
import signal
import stat
from dataclasses import fields
from pathlib import Path

from formats import BATCHES, CALLS
from guarding import Case

INPUTS = ["--batches", "b.csv", "--calls", "c.csv"]
SMALL = ["import-job", "--set", "parents=2", "--set", "workers=1"]
COMMANDS = {
    "list": [],
    "run": SMALL,
    "compare": [*SMALL, "-c", "claiming", "--no-pictures"],
    "check": ["wd", "-c", "claiming", "--executions", "5"],
    "replay": ["s.json"],
    "explain": ["s.json"],
    "incident": [*INPUTS, "--executions", "1", "--budget", "0.2s"],
    "sweep": ["wd", "-c", "claiming", "--budget", "0.2s"],
    "campaign": [*SMALL, "-c", "claiming", "--seeds", "2"],
    "results": ["runs.sqlite"],
    "merge": ["runs.sqlite", "--store", "m.sqlite"],
    "sensitivity": [*SMALL, "--vary", "workers=1:2", "--vary", "parents=1:2",
                    "--seeds", "1", "--trajectories", "2"],
    "calibrate": INPUTS,
    "export": ["s.json", "--format", "csv"],
    "alerts": [],
    "new": ["project"],
    "zoo": ["zoo/good-job-832", "--executions", "5", "--budget", "0.5s"],
    "conform": ["--db", "sqlite://", "--schedules", "1"],
}  # fmt: skip
EXTREMES = (
    "", " ", "-1", "0", "1", "-0", "1e999", "nan", "inf", "-inf", "NaN", "true", "None",
    "50", "200", "10000", "200000", "999999", "1000000", "1000001", str(10**9),
    str(2**63 - 1), str(2**63), str(2**64),
    "9" * 30, "9" * 5000, "1e308", "1e-320", "0.0000001", "1_000", "٣", "²", "0x10",
    "1s", "0s", "-5s", "nans", "infs", "1e400GB", "0MB", "1e300GB", "-1GB", "a=b=c",
    "=", "x" * 10_000, "é\n\x1b[2J", "\ud800", "../../..", "/", "/dev/zero",
    "/proc/self/mem", ".", "wd", "zoo", "classic", "random", "exhaustive", "crash=1",
    "crash=1000000", "crash=-1", "workers=1:1e9", "workers=2:1", "pending_bounded",
    "tcp://127.0.0.1:1", "postgresql://127.0.0.1:1/x", "sqlite:////proc/x",
)  # fmt: skip
SLOW = ("--jobs", "--cluster", "--pictures", "--picture")
"""Each start of processes or of the picture library takes seconds: drawn less often."""

ASKED_FOR = {("conform", "schedules"), ("sweep", "seconds")}
"""So many schedules, and so many seconds, are so much work, honestly asked for."""

OUTPUTS = (
    ("run", "--json"), ("run", "--trace"), ("run", "--html"), ("check", "--json"),
    ("check", "--save"), ("check", "--junit"), ("check", "--sarif"),
    ("check", "--summary"), ("check", "--html"), ("check", "--checkpoint"),
    ("check", "--database"), ("replay", "--json"), ("explain", "--markdown"),
    ("explain", "--test"), ("explain", "--html"), ("incident", "--save"),
    ("incident", "--json"), ("campaign", "--store"), ("campaign", "--json"),
    ("campaign", "--export"), ("results", "--export"), ("merge", "--store"),
    ("sensitivity", "--store"), ("calibrate", "--json"), ("export", "--output"),
    ("alerts", "--output"), ("new", ""), ("zoo", "--markdown"), ("zoo", "--json"),
    ("conform", "--keep"), ("conform", "--json"),
)  # fmt: skip


def _prepare(sound):
    """Link what the commands read into the working folder."""
    Path("b.csv").write_text(BATCHES)
    Path("c.csv").write_text(CALLS)
    Path("runs.sqlite").write_bytes((sound / "runs.sqlite").read_bytes())
    first = min((sound / "s").glob("wd-*.json"))
    Path("s.json").write_bytes(first.read_bytes())


def _command_options():
    import typer

    from wavecheck.reports.cli import app

    group = typer.main.get_command(app)
    for name in COMMANDS:
        for one in group.get_command(None, name).params:
            if one.name != "help" and (name, one.name) not in ASKED_FOR:
                yield name, one.opts[0], getattr(one, "is_flag", False)


def options(draw, sound):
    """One option of a command that is sound otherwise."""
    _prepare(sound)
    known = list(_command_options())
    name, option, is_flag = draw.choice(known)
    if option in SLOW and draw.random() < 0.8:
        name, option, is_flag = draw.choice(known)
    value = draw.choice(EXTREMES)
    command = [name, *COMMANDS[name]]
    if not option.startswith("-"):
        command = [name, value, *COMMANDS[name][1:]]
    elif is_flag:
        command.append(option)
    else:
        command += [option, value]
    return Case([command])


def settings(draw, sound):
    """One or two settings of a scenario at an extreme, or one fault."""
    from wavecheck import SCENARIOS

    scenario = draw.choice(list(SCENARIOS.values()))
    given = []
    known = fields(scenario.settings_type)
    for field in draw.sample(known, min(len(known), draw.choice((1, 1, 2)))):
        given += ["--set", f"{field.name}={draw.choice(EXTREMES)}"]
    budget = ["--budget", draw.choice(("0.1s", "0.1s", "0.1s", "1s"))]
    commands = [
        ["check", scenario.name, *given, *budget],
        ["prove", scenario.name, *given, *budget],
        ["check", scenario.name, *given, "--executions", "1"],
    ]
    if scenario.is_timed:
        commands += [["run", scenario.name, *given, "--steps", "2000"]] * 3
    return Case([draw.choice(commands)])


def outputs(draw, sound):
    """A place that cannot be written, or that must stay what it is."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # as another case left it
    _prepare(sound)
    name, option = draw.choice(OUTPUTS)
    place, check = draw.choice(
        (
            _full,
            _null,
            _folder,
            _nowhere,
            _long,
            _process,
            _loop,
            _dangling,
            _below,
            _pipe,
            _short,
        )
    )()
    command = [name, *COMMANDS[name], *([option] if option else []), place]
    if not option:
        command = [name, place]
    if option == "--checkpoint":
        command = ["check", "wd", "-c", "claiming", "--strategy", "exhaustive"]
        command += [option, place]
    if option == "--database":
        command += ["--strategy", "hypothesis"]

    def judge(status, output, errors):
        return check() or ""

    return Case([command], judge)


def _pipe():
    os.mkfifo("pipe")

    def check():
        return None if Path("pipe").is_fifo() else "the pipe is no pipe any more"

    return "pipe", check


def _short():
    """A disk that is full after some bytes: the system refuses to write more."""
    Path("file").write_bytes(b"kept" * 100)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (450, most))

    def check():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        content = Path("file").read_bytes()
        whole = content == b"kept" * 100 or len(content) <= 450
        left = [one for one in os.listdir() if one.endswith(".partial")]
        return None if whole and not left else f"half-written; {left}"

    return "file", check


def _device(number):
    try:
        os.mknod("device", 0o666 | stat.S_IFCHR, number)
        Path("device").open("wb").close()
    except PermissionError:
        return _folder()  # making devices is not allowed here
    state = Path("device").lstat()

    def check():
        now = Path("device").lstat()
        if (now.st_mode, now.st_rdev) != (state.st_mode, state.st_rdev):
            return "the device is no device any more"
        return None

    return "device", check


def _full():
    return _device(os.makedev(1, 7))


def _null():
    return _device(os.makedev(1, 3))


def _nothing():
    return None


def _folder():
    Path("folder").mkdir()
    return "folder", _nothing


def _nowhere():
    return "no/such/folder/x", _nothing


def _long():
    return "n" * 300, _nothing


def _process():
    return "/proc/self/nothing", _nothing


def _loop():
    Path("loop").symlink_to("loop")
    return "loop", _nothing


def _dangling():
    Path("link").symlink_to("target")
    return "link", lambda: None if Path("link").is_symlink() else "the link is gone"


def _below():
    Path("file").write_bytes(b"kept")

    def check():
        kept = Path("file").read_bytes() == b"kept"
        return None if kept else "another file was changed"

    return "file/below", check


def as_they_are(draw, sound, number):
    """A command before it is changed: it must do its work, or it tests nothing."""
    _prepare(sound)
    name, arguments = list(COMMANDS.items())[number % len(COMMANDS)]

    def judge(status, output, errors):
        return "" if status in (0, 1) else f"is not sound: {errors}"

    return Case([[name, *arguments]], judge)


def planted(draw, sound, number):
    """What must be noticed, for the test of the guard itself."""
    if number == 0:
        return 1 // 0
    if number == 1:
        while True:
            pass
    if number == 2:
        return bytearray(2 << 30)
    if number == 3:
        os._exit(7)
    if number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return Case([["list"]], lambda *answer: "nonsense")


OPTIONS = {one.__name__: one for one in (options, settings, outputs)}
