"""Models and songs tables to and from the Hugging Face Hub.

HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the cache work as everywhere in `huggingface_hub`.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
from datasets import Dataset
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RevisionNotFoundError

from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.experiment.evidence import read_run
from toy_duration_predictor.experiment.run_folder import load_run
from toy_duration_predictor.model_card import dataset_card, model_card
from toy_duration_predictor.saved_model import (
    CARD,
    CONFIG,
    PICKLE,
    WEIGHTS,
    Config,
    HubModel,
    LoadedModel,
    read_folder,
    write_folder,
)

# owner/name, and a folder in it; no part of the latter may lead out of it.
_NAME = re.compile(r"([\w.-]+/[\w.-]+)((?:/[\w-][\w.-]*)*)/?")

WAYS_OUT = {
    401: "it is not there, or is not yours to use; check the name, and log in with `hf auth login`",
    403: "your login may not do this; check the name, and log in with `hf auth login` and a token that may write",
    404: "it is not there, or is private; check the name, and log in with `hf auth login` if it is private",
    429: "it has had too many requests from here; wait some minutes and try again",
}


def save_model(run: str | Path, folder: str | Path) -> None:
    """Writes the best weights of a finished run, its configuration and its card to a new folder.

    Raises:
        InputError: The run is not finished or cannot be read, or the folder has something in it or cannot be written.
    """
    model = _of_run(run, Path(folder).name)
    write_folder(Path(folder), model.save_pretrained)


def push(run: str | Path, name: str, private: bool = False) -> str:
    """Puts the best weights of a finished run on the Hub, with configuration and card, in one commit.

    Args:
        run: The run's folder.
        name: `owner/name`; made where it is not there.
        private: Whether it is made for the owner's eyes only.

    Returns:
        Where the commit can be seen.

    Raises:
        InputError: The run cannot be read, or the Hub does not take it.
    """
    model = _of_run(run, name)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return _upload(folder, name, "model", private, f"Model of run {Path(run).name}")


def push_dataset(table: Dataset | str | Path, name: str, private: bool = False) -> str:
    """Puts a songs table on the Hub, with a card; `load_songs("hub", name=name)` has it back.

    Args:
        table: A validated songs table, or a Parquet file that holds one.
        name: `owner/name`; made where it is not there.
        private: Whether it is made for the owner's eyes only.

    Returns:
        Where the commit can be seen.

    Raises:
        InputError: The table cannot be read or used, or the Hub does not take it.
    """
    songs = table if isinstance(table, Dataset) else load_songs("parquet", path=table)
    card = dataset_card(songs, name)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data", "train-00000-of-00001.parquet")
        data.parent.mkdir()
        pq.write_table(songs.data.table, data)
        card.save(Path(folder, CARD))
        return _upload(folder, name, "dataset", private, f"{len(songs):,} songs")


def pull(name: str, folder: str | Path, revision: str | None = None) -> None:
    """Gets a model from the Hub into a new folder, which is there only once all of it is, and it can be loaded.

    Args:
        name: `owner/name`, or `owner/name/folder` where a repository has several models.
        folder: Where to put it.
        revision: A commit hash, tag or branch; None is the newest.

    Raises:
        InputError: The model cannot be had or loaded, or the folder has something in it or cannot be written.
    """

    def get(beside: Path) -> None:
        cached = _download(name, revision)
        read_folder(cached, name)
        beside.mkdir()
        for file in (CONFIG, WEIGHTS, PICKLE, CARD):
            if (cached / file).is_file():
                shutil.copyfile(cached / file, beside / file)

    write_folder(Path(folder), get)


def load_model(place: str | Path, revision: str | None = None) -> LoadedModel:
    """Loads a model from a folder or from the Hub; pickles are read for their weights only.

    Args:
        place: A folder with a `config.json`; or a name on the Hub, `owner/name`, or `owner/name/folder` where a
            repository has several models, as in `ccss17/toy-duration-predictor/model_B`.
        revision: Of the Hub's: a commit hash, tag or branch; None is the newest.

    Raises:
        InputError: It cannot be had, or is no model of this project.
    """
    return read_folder(Path(place) if Path(place).is_dir() else _download(str(place), revision), str(place))


def _of_run(run: str | Path, name: str) -> HubModel:
    """Returns the best weights of a finished run, with a card that calls it by that name."""
    finished, task = read_run(Path(run)), load_run(run)
    model = HubModel(**{key: task.hparams[key] for key in Config.model_fields})
    model.network.load_state_dict(task.network.state_dict())
    model.card = model_card(finished, name, carried=bool(task.hparams["statistics"].get("carried")))
    return model.eval()


def _upload(folder: str, name: str, kind: Literal["model", "dataset"], private: bool, message: str) -> str:
    """Puts a folder on the Hub in one commit and returns where that can be seen."""
    api, what = HfApi(), f"The {kind} '{name}' cannot be put on the Hub"
    if "/" not in name:
        raise InputError(f"{what}: give it an owner, too, as in owner/name.")
    with _hub(what):
        api.create_repo(name, repo_type=kind, private=private, exist_ok=True)
        return api.upload_folder(repo_id=name, repo_type=kind, folder_path=folder, commit_message=message).commit_url


def _download(name: str, revision: str | None) -> Path:
    """Returns the folder in the Hub's cache that holds a model; a file is there whole or not at all."""
    parts = _NAME.fullmatch(name)
    if parts is None or Path(name).exists():
        raise InputError(
            f"{name} is no model: give a run's folder, a checkpoint, a saved model's folder, or a name on the Hub, "
            f"such as owner/name."
        )
    repository, inner = parts[1], parts[2].lstrip("/")
    at = f" at revision '{revision}'" if revision else ""
    with _hub(f"There is no folder '{name}', and the model '{name}'{at} cannot be had from the Hub"):
        snapshot = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=[str(Path(inner, file)) for file in (CONFIG, WEIGHTS, PICKLE, CARD)],
        )
    return Path(snapshot, inner)


@contextmanager
def _hub(what: str) -> Iterator[None]:
    """Turns whatever the Hub's client raises into one sentence that begins with `what`.

    Those are its own exceptions, those of the HTTP library that its version uses, and those of the disk.
    """
    try:
        yield
    except Exception as error:
        raise InputError(f"{what}: {_reason(error)}.") from error


def _reason(error: BaseException) -> str:
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    if isinstance(error, HFValidationError):
        return "names there have the form owner/name, of letters, digits and single - _ and . between them"
    if any(isinstance(each, RevisionNotFoundError) for each in chain):
        return "it has no such revision; give a commit hash, tag or branch of it"
    if any(isinstance(each, OfflineModeIsEnabled) for each in chain):
        return "HF_HUB_OFFLINE is set, and it is not in the cache; unset it, or give a folder"
    for each in chain:
        if isinstance(each, HfHubHTTPError):
            status = each.response.status_code
            way_out = WAYS_OUT.get(status, "something is wrong there; try again later")
            return f"{constants.ENDPOINT} answers {status}: {way_out}"
    first = next(iter(str(chain[-1]).strip().splitlines()), type(chain[-1]).__name__).rstrip(".")
    return f"{first[:200]}; check the network ({constants.ENDPOINT}) and try again"
