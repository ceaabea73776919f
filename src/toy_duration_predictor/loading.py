"""A command's first line: libraries that take seconds to import are announced when the first of them is asked for."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

# Each takes a good part of a second, on a machine that does nothing else.
SLOW = frozenset(
    {"torch", "lightning", "datasets", "numba", "pandas", "sklearn", "gradio", "huggingface_hub", "optuna", "ray"}
)


class _Announcer:
    """A finder of modules that finds none; it only sees what is asked for."""

    def __init__(self, line: str) -> None:
        self.line = line

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Writes the line when a slow library is asked for, and is not asked again."""
        if name in SLOW:
            sys.meta_path.remove(self)
            sys.stderr.write(self.line)
            sys.stderr.flush()
        return None


def announce_libraries(command: str) -> None:
    """Says so on the standard error once this process begins to import slow libraries.

    Mistakes that need none of them are refused before, and have one sentence to themselves. So a module that such a
    check needs imports none of them at its top.
    """
    # Lightning starts the further processes of a training that has several; only the first one speaks.
    if SLOW.isdisjoint(sys.modules) and os.environ.get("LOCAL_RANK", "0") == "0":
        sys.meta_path.insert(0, _Announcer(f"{command}: loading libraries, which takes some seconds ...\n"))
