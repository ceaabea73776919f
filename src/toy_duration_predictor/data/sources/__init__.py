"""Where songs come from, a source a file: a function from its options to a validated songs table.

The file, its function and the source have one name. Options are what a configuration has under `data` beside `source`;
a misspelt, missing or unfit one is refused.
"""

import importlib
import pkgutil
from typing import Any

from datasets import Dataset
from pydantic import ValidationError, validate_call

from toy_duration_predictor.errors import InputError, did_you_mean, explain


def source_names() -> list[str]:
    """Returns the names that `load_songs` knows."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load_songs(source: str, **options: Any) -> Dataset:
    """Loads a songs table.

    Args:
        source: `hub`, `midi`, `parquet`, `simulated`, or any other file beside theirs.
        options: The source's own; see the function of that name.

    Raises:
        InputError: No such source, unfit options, or a table that cannot be had or used.
    """
    if source not in source_names():
        raise InputError(f"data.source={source}: no such source; {did_you_mean(source, source_names())}")
    load = getattr(importlib.import_module(f"{__name__}.{source}"), source)
    try:
        table: Dataset = validate_call(load)(**options)
    except ValidationError as error:
        raise InputError(explain(error, within=f"data={source}")) from error
    return table
