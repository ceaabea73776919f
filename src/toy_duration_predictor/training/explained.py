"""What the files of `conf` say of their settings: the comments beside them are a script's `--help`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

# Of a line of help, and where its explanations begin.
WIDTH, COLUMN = 80, 32

# Names stay whole, hyphens and all.
WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}

# Settings that are chosen by their group: `data=hub`, not `data.source=hub`.
CHOSEN = ("data.source", "model.name")


def help_text(config: DictConfig) -> str:
    """Returns the help of a script, in lines of 80 characters: its choices, and its settings with their values.

    Args:
        config: A whole configuration as Hydra composes it, `hydra` included.
    """
    hydra: Any = config.hydra
    [conf] = [Path(source.path) for source in hydra.runtime.config_sources if source.provider == "main"]
    name = hydra.job.config_name
    chosen = {group: choice for group, choice in reversed(hydra.runtime.choices.items()) if "/" not in group}
    files = [*(conf / group / f"{choice}.yaml" for group, choice in chosen.items() if choice), conf / f"{name}.yaml"]
    # What a choice does not explain, as it only sets another value, is explained by the others of any group.
    known: dict[str, str] = {}
    for file in [*files, *(path for group in chosen for path in sorted((conf / group).glob("*.yaml")))]:
        known = {**settings_of(file), **{key: text for key, text in known.items() if text}}
    lines = [*wrap(_about(conf / f"{name}.yaml"), WIDTH), "", f"python scripts/{name}.py SETTING=VALUE ...", ""]
    for group, choice in chosen.items():
        lines.append(f"{group}:" if choice is None else f"{group} (now {choice}):")
        for path in sorted((conf / group).glob("*.yaml")):
            lines += _line(f"{group}={path.stem}", _about(path))
        lines.append("")
    lines.append("Settings, with their values now:")
    plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    for key, value in _leaves(plain):
        if key in CHOSEN:
            continue
        shown = value if isinstance(value, str) else json.dumps(value)
        lines += _line(f"{key}={shown}", known.get(key, ""))
    lines += ["", *(_line("-m", "train each combination of values, such as seed=0,1,2") if "sweep" in chosen else [])]
    lines += [*_line("--cfg job", "show the configuration and do nothing"), *_line("--hydra-help", "Hydra's own help")]
    return "\n".join(lines) + "\n"


def settings_of(path: Path) -> dict[str, str]:
    """Returns the settings of a file of `conf` by their dotted names, with the comments beside them, or ""."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    # A file of a group has its settings under the group's name, unless it says where.
    group = "" if "# @package _global_" in text or path.parent.name == "conf" else f"{path.parent.name}."
    found = {}
    for key, end in _keys(yaml.compose(text, yaml.SafeLoader), group):
        if key.split(".")[0] not in ("defaults", "hydra"):
            comment = re.search(r"\s# (.*)$", lines[end.line][end.column :])
            found[key] = comment[1] if comment else ""
    return found


def choices_with(conf: Path, key: str) -> list[str]:
    """Returns the choices, such as `data=parquet`, that have a setting, such as `data.path`."""
    group = key.partition(".")[0]
    return [f"{group}={path.stem}" for path in sorted((conf / group).glob("*.yaml")) if key in settings_of(path)]


def _keys(node: yaml.Node, prefix: str) -> Iterator[tuple[str, yaml.Mark]]:
    """Yields the dotted names of settings that are not groups of others, and where a comment may begin."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(value, yaml.MappingNode) and value.value:
                yield from _keys(value, f"{prefix}{name.value}.")
            else:
                one_line = value.end_mark.line == name.end_mark.line
                yield f"{prefix}{name.value}", value.end_mark if one_line else name.end_mark


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _about(path: Path) -> str:
    """Returns the comment at the head of a file."""
    head = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        head.append(line.removeprefix("#").strip())
    return " ".join(line for line in head if not line.startswith("@package"))


def _line(name: str, explanation: str) -> list[str]:
    """Returns a name beside its explanation; below it, where the name is too long."""
    left = wrap(name, WIDTH, initial_indent="  ", subsequent_indent="    ", **WHOLE)
    lines = wrap(explanation, WIDTH, initial_indent=" " * COLUMN, subsequent_indent=" " * COLUMN, **WHOLE)
    if lines and len(left) == 1 and len(left[0]) + 2 <= COLUMN:
        left[0] += lines.pop(0)[len(left[0]) :]
    return [*left, *lines]
