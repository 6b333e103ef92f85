"""`check --canary` and `check --strategy hypothesis` on the command line."""

import json

FAST = ("check", "wd", "-c", "claiming", "--canary")


def test_a_budget_that_catches_all_exits_with_0(cli):
    """Each mutant is shown with its fate, and the sum below."""
    status, output, _ = cli(*FAST, "--executions", 100)
    assert status == 0
    assert "3 of 3 mutants that can do harm caught" in output
    assert "HARMLESS" in output


def test_a_survivor_exits_with_1_and_is_named(cli):
    """What the budget misses is listed as its weakness."""
    status, output, _ = cli(*FAST, "--executions", 1)
    assert status == 1
    assert "weakness of this budget: " in output


def test_the_answer_is_written_as_data(cli):
    """Every mutant has its fate, the property and the execution that caught it."""
    status, output, _ = cli(*FAST, "--executions", 100, "--json", "-")
    document = json.loads(output)
    caught = [one for one in document["mutants"] if one["fate"] == "caught"]
    assert (status, document["kind"], document["is_sensitive"]) == (0, "canary", True)
    assert len(caught) == 3
    assert all(one["property"] and one["execution"] for one in caught)


def test_a_scenario_without_mutants_is_bad_input(cli):
    """A canary needs mutants; the incident is a recording."""
    status, _, errors = cli("check", "incident", "--canary", "--executions", 1)
    assert status == 2
    assert "nothing that could be weakened" in errors


def test_a_database_belongs_to_hypothesis(cli, files):
    """Failures are kept in the folder that was named, and by no other strategy."""
    command = ("check", "wd", "-c", "stalling", "--executions", 50, "--database", "db")
    status, _, errors = cli(*command)
    assert status == 2
    assert "keeps no database" in errors
    status, _, _ = cli(*command, "--strategy", "hypothesis")
    assert status == 1
    assert any(name.startswith("db/wd-stalling/no_stranded") for name in files())
