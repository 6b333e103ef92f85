"""The pytest plugin: a search is a test, a violation is a failed assertion.

    @pytest.mark.wavecheck(scenario="import-job", coordinator=MyRule)
    def test_my_rule(): ...

    def test_my_rule(wavecheck):
        wavecheck.check(scenario="import-job", coordinator=MyRule, executions=500)

Every pytest run of an environment loads this file, so it imports the rest only when a
test asks for it.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from wavecheck.scenarios.verdicts.result import CheckResult

FOLDER: Final = "wavecheck_schedules"
_INI: Final = "wavecheck_schedules"


class OutdatedScheduleWarning(UserWarning):
    """A kept schedule is no longer what the code does."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(
        _INI,
        "folder of the failing schedules, from the root of the project"
        f" (default: {FOLDER}/ beside each test file)",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker."""
    config.addinivalue_line(
        "markers",
        "wavecheck(scenario=..., coordinator=..., ...): search a scenario for"
        " violations before the test; the defaults of the fixture wavecheck",
    )


class WavecheckFixture:
    """What the fixture `wavecheck` gives a test.

    Attributes:
        folder: where failing schedules are kept.
    """

    def __init__(self, folder: Path, defaults: dict[str, Any]) -> None:
        self.folder = folder
        self._defaults = defaults

    def check(self, **options: Any) -> "CheckResult":
        """Replay the kept schedules, then search; see `regressions.assert_holds`.

        Raises:
            AssertionError: a property is violated or, with `require`, NOT
                TESTED.
            TypeError: an option that does not exist.
            WavecheckError: a bad name or value, or nondeterminism.
        """
        __tracebackhide__ = True
        from wavecheck.reports.regressions import assert_holds
        from wavecheck.sim.errors import WavecheckError

        asked = {**self._defaults, **options}
        try:
            result, outdated = assert_holds(self.folder, **asked)
        except WavecheckError as error:
            raise error.with_traceback(None) from None  # its text says where
        for text in outdated:
            warnings.warn(text, OutdatedScheduleWarning, stacklevel=2)
        return result


def _fixture_of(item: pytest.Item) -> WavecheckFixture:
    config = item.config
    defaults: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("wavecheck"))):
        if marker.args:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker wavecheck takes keywords only"
            )
        defaults.update(marker.kwargs)
    folder = config.getini(_INI)
    return WavecheckFixture(
        config.rootpath / folder if folder else item.path.parent / FOLDER, defaults
    )


@pytest.fixture
def wavecheck(request: pytest.FixtureRequest) -> WavecheckFixture:
    """Search a scenario for violations: `wavecheck.check(scenario=..., ...)`."""
    return _fixture_of(request.node)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """Search what the marker says, unless the test has the fixture and does it."""
    __tracebackhide__ = True
    is_marked = pyfuncitem.get_closest_marker("wavecheck") is not None
    if is_marked and "wavecheck" not in pyfuncitem.fixturenames:
        _fixture_of(pyfuncitem).check()
    return (yield)
