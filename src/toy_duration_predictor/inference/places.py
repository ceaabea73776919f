"""How models are named. Nothing is loaded here, so that a name that cannot be one is refused at once."""

import json
import re
import zipfile
from pathlib import Path

from toy_duration_predictor.data.singers import Singer, shares
from toy_duration_predictor.errors import InputError

# The name of the model that comes with this package, and its folder.
DEMO = "demo"
DEMO_MODEL = Path(__file__).with_name("demo_model")

# What a run's folder has in it, and what a saved model's.
CHECKPOINTS, CONFIG = "checkpoints", "config.json"

# owner/name, and a folder in it. No part of the folder begins with a dot, so none leads out of the repository.
_NAME = re.compile(r"([\w.-]+/[\w.-]+)((?:/[\w-][\w.-]*)*)/?")


def hub_name(name: str) -> tuple[str, str]:
    """Returns the repository and the folder in it, which may be "", of a model's name on the Hub.

    Raises:
        InputError: It is no such name, or there is a file of this name.

    >>> hub_name("ccss17/toy-duration-predictor/model_B")
    ('ccss17/toy-duration-predictor', 'model_B')
    """
    parts = _NAME.fullmatch(name)
    if parts is None or Path(name).exists():
        raise InputError(
            f"{name} is no model: give a run's folder, a checkpoint, a saved model's folder, or a name on the Hub, "
            f"such as owner/name."
        )
    return parts[1], parts[2].lstrip("/")


def check_place(place: str) -> None:
    """Refuses what cannot be a model: no run, no checkpoint, no saved model, and no name on the Hub.

    Raises:
        InputError: It cannot be one.
    """
    path = Path(place)
    # A checkpoint is a ZIP archive, a run has checkpoints, and a saved model a configuration.
    saved = (path / CHECKPOINTS).exists() or (path / CONFIG).exists()
    if place != DEMO and not (zipfile.is_zipfile(path) if path.is_file() else saved):
        hub_name(place)


def check_singer(place: str, singer: Singer) -> None:
    """Refuses a singer whom a saved model does not know. Of another place it is known once the model is loaded.

    Raises:
        InputError: See `data.singers.shares`.
    """
    folder = DEMO_MODEL if place == DEMO else Path(place)
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        singers = list(config["singers"])
        names = {int(key): name for key, name in config.get("singer_names", {}).items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return  # what is wrong with it is said where it is loaded
    shares(singer, singers, names)


def check_owner(name: str, what: str) -> None:
    """Refuses a name on the Hub without an owner.

    Args:
        name: The name.
        what: `model` or `dataset`.

    Raises:
        InputError: It has none.
    """
    if "/" not in name:
        raise InputError(f"The {what} '{name}' cannot be put on the Hub: give it an owner, too, as in owner/name.")
