"""The rooms of the package: a room uses those below it, and none above or beside it."""

import ast
from pathlib import Path

import toy_duration_predictor as tdp

PACKAGE = Path(tdp.__file__).parent

# From the bottom up. Rooms of one line do not know each other.
LEVELS = (
    {"errors", "loading"},
    {"files"},
    {"sections"},
    {"data", "models"},
    {"training"},
    {"comparison", "inference"},
    {"scores", "sharing"},
    {"demo"},
    {"cli", "__init__"},
)
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Yields the room of every import from this package, those within functions among them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
            if node.module == "toy_duration_predictor":
                modules = [f"toy_duration_predictor.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        for module in modules:
            package, _, rest = module.partition(".")
            if package == "toy_duration_predictor":
                yield rest.partition(".")[0]


def test_every_room_has_its_level():
    assert {room(path) for path in PACKAGE.rglob("*.py")} == set(LEVEL)


def test_no_arrow_goes_up():
    found = {(room(path), to) for path in PACKAGE.rglob("*.py") for to in imported(path)}
    assert ("training", "data") in found  # so that the test sees anything at all
    assert [(of, to) for of, to in found if of != to and LEVEL[of] <= LEVEL[to]] == []


def test_no_room_takes_a_public_name():
    """A folder or module of the package's own would take the place of the public name once it is imported."""
    assert not set(LEVEL) & set(tdp.__all__)
