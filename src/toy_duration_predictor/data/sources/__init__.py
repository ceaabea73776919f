"""Where songs come from. A source is a file with a function, which makes a validated songs table of its options.

The file, the function and the source have the same name. The options are the keys beside `source` in a configuration's
`data`. A misspelt, missing or unfit option is refused.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError, validate_call

from toy_duration_predictor.data.schema import Durations
from toy_duration_predictor.errors import InputError, did_you_mean, explain

# Libraries that take seconds are imported by the sources, and not to say which sources there are.
if TYPE_CHECKING:
    from datasets import Dataset


def source_names() -> list[str]:
    """Returns the names that `load_songs` knows."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load_songs(source: str, durations: Durations = "auto", **options: Any) -> "Dataset":
    """Loads a songs table.

    Args:
        source: `hub`, `midi`, `parquet`, `simulated`, or any other file in this folder.
        durations: What the durations are: `sung`, `carried` values of the quantizer, or `auto`, which goes by what the
            source knows, and then by the durations themselves; see `data.origin`.
        options: The source's own options; see the function of its name.

    Raises:
        InputError: There is no such source, the options do not fit, or the table cannot be had or used.
    """
    if source not in source_names():
        raise InputError(f"data.source={source}: no such source; {did_you_mean(source, source_names())}")
    if durations not in get_args(Durations):
        raise InputError(f"data.durations={durations}: give {', '.join(get_args(Durations))}.")
    from toy_duration_predictor.data.origin import declare

    load = getattr(importlib.import_module(f"{__name__}.{source}"), source)
    try:
        table: Dataset = validate_call(load)(**options)
    except ValidationError as error:
        raise InputError(explain(error, within=f"data={source}")) from error
    declare(table, durations)
    return table
