"""How a result shows itself in a notebook: by the display that is installed.

Knows no display. One registers under the entry point group `wavecheck.displays`, so
that results need not know who draws them; without one a result shows its plain `repr`.
"""

from importlib.metadata import entry_points
from typing import Final

GROUP: Final = "wavecheck.displays"


def shown(
    result: object, include: object = None, exclude: object = None
) -> dict[str, str]:
    """Return a result in the forms that a notebook can show, by media type.

    To be a class's `_repr_mimebundle_`; Jupyter, VS Code and Colab call it.

    Args:
        result: to show.
        include: media types that are wanted; all are given, the caller selects.
        exclude: media types that are not wanted; likewise.
    """
    for display in entry_points(group=GROUP):
        bundle: dict[str, str] = display.load()(result)
        return bundle
    return {"text/plain": repr(result)}
