"""Models from a folder or from the Hugging Face Hub.

HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the cache work as everywhere in `huggingface_hub`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RevisionNotFoundError

from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.inference.places import CONFIG, hub_name
from toy_duration_predictor.inference.saved_model import CARD, PICKLE, WEIGHTS, LoadedModel, read_folder

# What a user can do, by the HTTP status that the Hub answers with.
WAYS_OUT = {
    401: "it is not there, or is not yours to use; check the name, and log in with `hf auth login`",
    403: "your login may not do this; check the name, and log in with `hf auth login` and a token that may write",
    404: "it is not there, or is private; check the name, and log in with `hf auth login` if it is private",
    429: "it has had too many requests from here; wait some minutes and try again",
}


def load_model(place: str | Path, revision: str | None = None) -> LoadedModel:
    """Loads a model from a folder or from the Hub; pickles are read for their weights only.

    Args:
        place: A folder with a `config.json`; or a name on the Hub, `owner/name`, or `owner/name/folder` where a
            repository has several models, as in `ccss17/toy-duration-predictor/model_B`.
        revision: A commit hash, tag or branch on the Hub; None is the newest commit.

    Raises:
        InputError: The model cannot be had, or is no model of this project.
    """
    return read_folder(Path(place) if Path(place).is_dir() else download(str(place), revision), str(place))


def download(name: str, revision: str | None) -> Path:
    """Gets a model into the Hub's cache and returns its folder there. No file is in the cache in part.

    Args:
        name: `owner/name` or `owner/name/folder`.
        revision: A commit hash, tag or branch; None is the newest commit.

    Raises:
        InputError: The name is none, or the Hub does not give the model.
    """
    repository, inner = hub_name(name)
    at = f" at revision '{revision}'" if revision else ""
    with hub_errors(f"There is no folder '{name}', and the model '{name}'{at} cannot be had from the Hub"):
        snapshot = snapshot_download(
            repository,
            revision=revision,
            # No other file of the repository is downloaded: it may hold several models.
            allow_patterns=[str(Path(inner, file)) for file in (CONFIG, WEIGHTS, PICKLE, CARD)],
        )
    return Path(snapshot, inner)


@contextmanager
def hub_errors(what: str) -> Iterator[None]:
    """Turns every error of the Hub's client into one sentence that begins with `what`.

    Raises:
        InputError: In place of the error.
    """
    try:
        yield
    # The client raises its own exceptions, the disk's, and those of an HTTP library that differs between its versions.
    except Exception as error:
        raise InputError(f"{what}: {_reason(error)}.") from error


def _reason(error: BaseException) -> str:
    """Returns why the Hub could not be used, and what to do; the first cause says more than the last error."""
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
    return f"{first_line(chain[-1]).rstrip('.')}; check the network ({constants.ENDPOINT}) and try again"
