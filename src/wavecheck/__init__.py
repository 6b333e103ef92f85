"""Find the order of statements that breaks your code, before production does.

This is the front door: `import wavecheck as wc`. What a test, a script or a notebook
needs is listed in `__init__.pyi`, and no other name is promised to stay. A scenario is
given by name or as it is; a coordinator as a class, as NAME, package.module:Class or
path/to/file.py:Class; settings by name, as values or as text.

Names are loaded when they are asked for: pytest loads the plugin of this package in
every project, and a command loads what it needs.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
