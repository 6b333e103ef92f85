"""Options that a project gives in its pyproject.toml."""

import json

import pytest

WD = ("wd", "-c", "claiming", "--json", "-")


@pytest.fixture
def project(tmp_path):
    """Write the project's table, in the folder that commands run in."""

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    return write


def asked(cli, *arguments):
    """The document of a check."""
    status, output, errors = cli("check", *WD, *arguments)
    assert (status, errors) == (0, "")
    return json.loads(output)


def test_options_of_the_project_are_used(cli, project):
    """Those of all commands and those of one; lists repeat an option."""
    project(
        "[tool.wavecheck]\nseed = 7\n[tool.wavecheck.check]\nexecutions = 50\n"
        'property = ["no_stranded_batch"]\n'
    )
    document = asked(cli)
    assert document["seed"] == 7
    assert document["executions"] == 50
    assert [one["property"] for one in document["verdicts"]] == ["no_stranded_batch"]


def test_what_is_said_wins(cli, project):
    """An option on the command line takes the place of the project's, lists too."""
    project(
        '[tool.wavecheck]\nexecutions = 50\nproperty = ["no_stranded_batch"]\n'
        "[tool.wavecheck.check]\nexecutions = 60\n"
    )
    assert asked(cli)["executions"] == 60
    document = asked(cli, "--executions=70", "--property", "no_double_dispatch")
    assert document["executions"] == 70
    assert [one["property"] for one in document["verdicts"]] == ["no_double_dispatch"]


def test_an_option_of_another_command_is_left_to_it(cli, project):
    """A shared option that this command has not is no error."""
    project('[tool.wavecheck]\nexecutions = 50\npictures = "elsewhere"\n')
    assert asked(cli)["executions"] == 50


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.wavecheck]\nexecutoins = 5\n", "did you mean 'executions'?"),
        ("[tool.wavecheck.check]\npictures = 'x'\n", "option of `wavecheck check`"),
        ("[tool.wavecheck]\nfirst = 3\n", "first = 3: expected true or false"),
        ("[tool.wavecheck]\nexecutions = true\n", "expected a text or a number"),
        ("[tool.wavecheck]\nexecutions = [1, 2]\n", "expected a text or a number"),
        ("[tool.wavecheck]\ncheck = 3\n", "expected a table [tool.wavecheck.check]"),
        ("[tool]\nwavecheck = 3\n", "expected a table [tool.wavecheck]"),
        ("[tool.wavecheck\n", "no TOML"),
        ("[tool.wavecheck]\nexecutions = 'x'\n", "adds options to yours"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_file(cli, project, text, told):
    """One sentence that names the file; exit status 2."""
    project(text)
    status, output, errors = cli("check", *WD)
    assert (status, output) == (2, "")
    assert "pyproject.toml" in errors
    assert told in errors
