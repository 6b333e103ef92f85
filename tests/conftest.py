"""Options of the whole suite."""


def pytest_addoption(parser):
    """Add the flags that tests/README.md names."""
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="rewrite the golden files with what the code gives now",
    )
    parser.addoption(
        "--coordinator",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="run the conformance suite on your own coordinator instead of ours",
    )
