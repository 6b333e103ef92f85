"""The exhibits as tables."""

from rich import box
from rich.console import RenderableType
from rich.table import Table

from scenarios import EXHIBITS


def exhibits_table() -> RenderableType:
    """Return the zoo and the classic programs: name, root, title, coordinators."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("exhibit", style="bold", no_wrap=True)
    table.add_column("root of the fault")
    table.add_column("what happens")
    table.add_column("coordinators")
    table.add_column("parameters")
    for one in EXHIBITS.values():
        table.add_row(
            one.name,
            one.pattern.value if one.pattern else "",
            one.title,
            ", ".join(one.variants),
            ", ".join(f"{name}={size}" for name, size in one.sizes.items()),
        )
    return table
