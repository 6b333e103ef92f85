"""Which implementations the suites run on.

`pytest tests/conformance --coordinator path/to/mine.py:Mine` runs the coordinators'
suite on a user's own; without the option it runs on every built-in one.
"""

import pytest

from wavecheck import find_scenario, load_coordinator
from wavecheck.coordinator import VARIANTS


def pytest_generate_tests(metafunc):
    """Run a test that asks for `coordinator_type` once for each coordinator."""
    if "coordinator_type" not in metafunc.fixturenames:
        return
    names = metafunc.config.getoption("--coordinator") or list(VARIANTS)
    scenario = find_scenario("import-job")
    types = [load_coordinator(scenario, name) for name in names]
    metafunc.parametrize("coordinator_type", types, ids=names)


@pytest.fixture
def finish():
    """Run a kernel to quiescence; return the names of tasks that must have ended."""

    def run(kernel):
        kernel.run_to_quiescence()
        open_tasks = [
            task.name
            for task in kernel.tasks
            if not task.is_finished and not task.is_daemon
        ]
        assert open_tasks == []

    return run
