"""A graph as GraphML: happens-before of a schedule, or the state graph of a world.

Lists and rows in attributes become JSON text; characters that XML cannot hold become a
replacement mark.
"""

import json
import re
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from wavecheck.sim.trace import plain

if TYPE_CHECKING:
    import networkx as nx

_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def graphml(graph: "nx.Graph[int]") -> str:
    """Return a graph as GraphML; networkx, Gephi, yEd and Cytoscape read it.

    Args:
        graph: as `wavecheck.happens_before` or `wavecheck.state_graph` gives it.
    """
    import networkx as nx  # slow to load

    flat: nx.Graph[int] = nx.MultiDiGraph() if graph.is_multigraph() else nx.DiGraph()
    for node, attributes in graph.nodes(data=True):
        flat.add_node(node, **_flat(attributes))
    for source, target, attributes in graph.edges(data=True):
        flat.add_edge(source, target, **_flat(attributes))
    buffer = BytesIO()
    nx.write_graphml_xml(flat, buffer, named_key_ids=True)
    return buffer.getvalue().decode()


def _flat(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in attributes.items()}


def _value(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(plain(value))
    return xml_text(text)


def xml_text(text: str) -> str:
    """Return a text without the characters that no XML document can hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
