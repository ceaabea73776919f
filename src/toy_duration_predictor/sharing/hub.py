"""Models and songs tables are saved and put on the Hugging Face Hub, and models are fetched as folders.

HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the cache work as everywhere in `huggingface_hub`.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
from datasets import Dataset
from huggingface_hub import HfApi

from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.files import write_folder
from toy_duration_predictor.inference.download import download, hub_errors
from toy_duration_predictor.inference.places import CONFIG, check_owner
from toy_duration_predictor.inference.saved_model import (
    CARD,
    PICKLE,
    WEIGHTS,
    Config,
    HubModel,
    read_folder,
)
from toy_duration_predictor.sharing.cards import dataset_card, model_card
from toy_duration_predictor.training.run_folder import load_run, read_run


def save_model(run: str | Path, folder: str | Path) -> None:
    """Writes the best weights of a finished run, its configuration and its card to a new folder.

    Raises:
        InputError: The run is not finished or cannot be read, or the folder has something in it or cannot be written.
    """
    model = _hub_model(run, Path(folder).name)
    write_folder(Path(folder), model.save_pretrained)


def push(run: str | Path, name: str, private: bool = False) -> str:
    """Puts the best weights of a finished run on the Hub in one commit, with their configuration and card.

    Args:
        run: The run's folder.
        name: `owner/name`; the repository is made where there is none.
        private: Whether a repository that is made is for the owner's eyes only.

    Returns:
        The commit's address.

    Raises:
        InputError: The run cannot be read, or the Hub does not take it.
    """
    model = _hub_model(run, name)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return _upload(folder, name, "model", private, f"Model of run {Path(run).name}")


def push_dataset(table: Dataset | str | Path, name: str, private: bool = False) -> str:
    """Puts a songs table on the Hub, with a card; `load_songs("hub", name=name)` has it back.

    Args:
        table: A validated songs table, or a Parquet file that holds one.
        name: `owner/name`; the repository is made where there is none.
        private: Whether a repository that is made is for the owner's eyes only.

    Returns:
        The commit's address.

    Raises:
        InputError: The table cannot be read or used, or the Hub does not take it.
    """
    songs = table if isinstance(table, Dataset) else load_songs("parquet", path=table)
    card = dataset_card(songs, name)
    with tempfile.TemporaryDirectory() as folder:
        # The layout that `datasets` knows as the split "train".
        data = Path(folder, "data", "train-00000-of-00001.parquet")
        data.parent.mkdir()
        pq.write_table(songs.data.table, data)
        card.save(Path(folder, CARD))
        return _upload(folder, name, "dataset", private, f"{len(songs):,} songs")


def pull(name: str, folder: str | Path, revision: str | None = None) -> None:
    """Gets a model from the Hub into a new folder. The folder appears once the model is complete and can be loaded.

    Args:
        name: `owner/name`, or `owner/name/folder` where a repository has several models.
        folder: Where to put it.
        revision: A commit hash, tag or branch; None is the newest commit.

    Raises:
        InputError: The model cannot be had or loaded, or the folder has something in it or cannot be written.
    """

    def get(beside: Path) -> None:
        cached = download(name, revision)
        read_folder(cached, name)  # what cannot be loaded is refused before anything is written
        beside.mkdir()
        for file in (CONFIG, WEIGHTS, PICKLE, CARD):
            if (cached / file).is_file():
                shutil.copyfile(cached / file, beside / file)

    write_folder(Path(folder), get)


def _hub_model(run: str | Path, name: str) -> HubModel:
    """Returns the best weights of a finished run, with a card that calls the model `name`."""
    finished, task = read_run(Path(run)), load_run(run)
    model = HubModel(**{key: task.hparams[key] for key in Config.model_fields})
    model.network.load_state_dict(task.network.state_dict())
    carried = bool(task.hparams["statistics"].get("carried"))
    model.card = model_card(finished, name, carried, task.singer_names)
    return model.eval()


def _upload(folder: str, name: str, repo_type: Literal["model", "dataset"], private: bool, message: str) -> str:
    """Puts a folder on the Hub in one commit and returns the commit's address."""
    api, what = HfApi(), f"The {repo_type} '{name}' cannot be put on the Hub"
    check_owner(name, repo_type)
    with hub_errors(what):
        api.create_repo(name, repo_type=repo_type, private=private, exist_ok=True)
        return api.upload_folder(
            repo_id=name, repo_type=repo_type, folder_path=folder, commit_message=message
        ).commit_url
