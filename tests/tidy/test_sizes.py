"""Sizes: small enough to be read at one sitting."""

import ast

LINES_MAX = 700
TEST_LINES_MAX = 900
FUNCTION_LINES_MAX = 70
POSITIONAL_MAX = 5

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_files_stay_below_the_hard_stop(python_files):
    """No code file has more than 700 lines, no test file more than 900."""
    offences = []
    for file in python_files:
        limit = TEST_LINES_MAX if file.folder == "tests" else LINES_MAX
        count = len(file.text.splitlines())
        if count > limit:
            offences.append(
                f"{file.path}: {count} lines, at most {limit}; give one of its "
                "subjects a file of its own"
            )
    assert not offences, "\n".join(offences)


def test_functions_stay_below_the_hard_stop(python_files):
    """No function has more than 70 lines, its docstring included."""
    offences = []
    for file in python_files:
        for node in ast.walk(file.tree):
            if isinstance(node, FUNCTIONS):
                count = node.end_lineno - node.lineno + 1
                if count > FUNCTION_LINES_MAX:
                    offences.append(
                        f"{file.path}:{node.lineno}: {node.name} has {count} lines, "
                        f"at most {FUNCTION_LINES_MAX}; move a part that has a name "
                        "into a function of that name"
                    )
    assert not offences, "\n".join(offences)


def test_functions_take_few_positional_parameters(package_files):
    """No function takes more than 5 positional parameters besides self or cls."""
    offences = []
    for file in package_files:
        for node in ast.walk(file.tree):
            if isinstance(node, FUNCTIONS):
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
                count = len(names) - (names[:1] in (["self"], ["cls"]))
                if count > POSITIONAL_MAX:
                    offences.append(
                        f"{file.path}:{node.lineno}: {node.name} takes {count} "
                        f"positional parameters, at most {POSITIONAL_MAX}; put a * "
                        "before those that a caller should name"
                    )
    assert not offences, "\n".join(offences)
