"""The repository: no traces of one machine, no lock files, plain pins."""

import re
import tomllib
from pathlib import PurePosixPath

import pytest

# Written so that the patterns do not match themselves.
MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])(?:file://)?/(?:work|root|home|Users)/|\b[A-Z]:\\{1,2}Users\b"
)
REGISTRY = re.compile(
    r"\bpypi\.(?:org|io)\b|\bpythonhosted\.org\b|\banaconda\.org\b"
    r"|\bregistry\.(?:npmjs\.org|yarnpkg\.com)\b|\bcrates\.io\b"
    r"|\bproxy\.golang\.org\b|--(?:extra-)?index[-_]url\b|//[^\s\"']+/simple\b"
)
TRACES = (
    (MACHINE_PATH, "a path of one machine; write it from the root of the repository"),
    (REGISTRY, "an address of a package registry; pip's own settings choose it"),
)
LOCK_FILES = ("pylock.toml", "package-lock.json", "pnpm-lock.yaml", "conda-lock.yml")
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_]+")


def traces_in(text):
    """Each line of the text that names one machine: (line number, match, advice)."""
    return [
        (number, match.group(), advice)
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern, advice in TRACES
        if (match := pattern.search(line))
    ]


def project_name(text):
    """The normalised project name that a requirement or a pin begins with."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", text).group()).lower()


def test_files_hold_no_trace_of_one_machine(root, tracked_paths):
    """No file holds a path of a machine or the address of a package registry."""
    offences = []
    for path in tracked_paths:
        content = (root / path).read_bytes()
        if b"\0" in content:
            continue
        text = content.decode("utf-8", errors="replace")
        for number, match, advice in traces_in(text):
            offences.append(f"{path}:{number}: {match!r} is {advice}")
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize(
    "line",
    [
        'open("/ro' + 'ot/x")',
        "cd /ho" + "me/ann/project",
        "see file:///wo" + "rk/y",
        r"C:\Us" + r"ers\ann",
        "https://py" + "pi.org/project/x",
        "--index" + "-url https://mirror.example",
        "https://mirror.example/py" + "pi/sim" + "ple/",
    ],
)
def test_planted_traces_are_found(line):
    """Each kind of trace is recognised in a line that holds it."""
    assert traces_in(line)


@pytest.mark.parametrize(
    "line",
    [
        "https://example.org/ho" + "me/page",
        "the net" + "work/disk boundary",
        "docs/wo" + "rk/plan.md",
        "a simple thing",
    ],
)
def test_innocent_lines_are_not_traces(line):
    """Addresses and relative paths that merely look alike are left alone."""
    assert not traces_in(line)


def test_there_are_no_lock_files(tracked_paths):
    """No lock file is tracked: it would carry download addresses."""
    offences = [
        f"{path}: pin versions as name==version lines in constraints.txt instead"
        for path in tracked_paths
        if PurePosixPath(path).name in LOCK_FILES or path.endswith(".lock")
    ]
    assert not offences, "\n".join(offences)


def test_constraints_are_plain_pins(root):
    """Every line of constraints.txt is name==version, and no name comes twice."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    odd = [line for line in lines if not PIN.fullmatch(line)]
    assert not odd, f"write each as name==version: {odd!r}"
    names = [project_name(line) for line in lines]
    repeated = sorted({name for name in names if names.count(name) > 1})
    assert not repeated, f"keep one pin for each of {repeated!r}"


def test_constraints_cover_the_dependencies(root):
    """Every dependency in pyproject.toml has its pin in constraints.txt."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {project_name(line) for group in groups for line in group}
    wanted.discard(project["name"])  # an extra that is made of others names itself
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    missing = sorted(wanted - {project_name(line) for line in lines})
    assert not missing, (
        f"{missing!r} have no pin in constraints.txt; renew it as CONTRIBUTING.md says"
    )


WHERE = re.compile(r"^\| (?:a|the|PostgreSQL's) [^|]+\|[^|]+\|[^|]*\|$", re.MULTILINE)


def test_where_to_change_what_names_files_that_exist(root):
    """Each path of the table in CONTRIBUTING.md is there, and what is asked for is."""
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = WHERE.findall(text)
    told = {row.split("|")[1].strip() for row in rows}
    asked = ("a statement", "a fault kind", "a property", "a strategy", "a scenario")
    assert {*asked, "the player"} <= told
    paths = [path for row in rows for path in re.findall(r"`([^`]+)`", row)]
    missing = [path for path in paths if not (root / path).exists()]
    assert not missing, missing


def test_nothing_tells_to_install_wavecheck_from_an_index(root, tracked_paths):
    """It is not published there: `pip install .`, or a wheel, or what is missing."""
    hint = re.compile(r"pip install '?wavecheck\b(?!-)")
    found = [
        path
        for path in tracked_paths
        if path.endswith((".py", ".md", ".ipynb", ".jinja", ".toml"))
        and hint.search((root / path).read_text(encoding="utf-8"))
    ]
    assert found == []
