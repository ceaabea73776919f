"""A dataset of the Hugging Face Hub."""

from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetsError

from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.errors import InputError, first_line


def hub(name: str = "ccss17/note-duration-dataset", revision: str | None = None, hub_split: str = "train") -> Dataset:
    """Loads a dataset of the Hugging Face Hub, or a local folder laid out like one.

    The cache, `HF_HUB_OFFLINE`, `HF_ENDPOINT` and the token (`HF_TOKEN` or a login) work as everywhere in `datasets`.

    Args:
        name: `owner/name`, or the path of a folder.
        revision: A commit hash, tag or branch; None is the newest.
        hub_split: The dataset's own split to read.

    Raises:
        InputError: The dataset cannot be loaded; the message says what to do.
    """
    at = f" at revision '{revision}'" if revision else ""
    try:
        table = load_dataset(name, split=hub_split, revision=revision)
    except (DatasetsError, OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"The dataset '{name}'{at} cannot be loaded from the Hugging Face Hub ({first_line(error)}); check the "
            f"name and the network, or train on data=simulated or on a file with data=parquet data.path=FILE."
        ) from error
    return validate_songs(table, name)
