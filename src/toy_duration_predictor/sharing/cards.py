"""The cards of models and datasets on the Hub, made from a run and from a songs table."""

import re

import numpy as np
from datasets import Dataset
from huggingface_hub import DatasetCard, DatasetCardData, EvalResult, ModelCard, ModelCardData

from toy_duration_predictor.comparison.evidence import SongErrors, song_errors
from toy_duration_predictor.comparison.intervals import Interval, difference_interval, mae_interval
from toy_duration_predictor.data.audit import audit
from toy_duration_predictor.data.schema import NAME_COLUMN, QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.data.singers import Names
from toy_duration_predictor.data.songs import fingerprint, ragged
from toy_duration_predictor.sections import render_markdown
from toy_duration_predictor.training.run_folder import FinishedRun, Metrics

REPOSITORY = "https://github.com/ccss17/toy-duration-predictor"
PUBLISHED_DATASET = "ccss17/note-duration-dataset"

# What a model card records for machines to read.
RESULTS = (
    "MAE of onsets, ticks",
    "MAE of onsets of the copy baseline, ticks",
    "MAE, ticks",
    "MAE of the copy baseline, ticks",
)

# What a listener hears, by the metrics' names; see `training.timing_errors`.
HEARD = {"onset_mae": "onsets", "ioi_mae": "inter-onset intervals", "mae": "durations"}

# The columns as a dataset card explains them; `data.schema` has the whole schema.
COLUMNS = {
    "singer_id": "number of the singer",
    SUNG_COLUMN: "list of the sung durations of notes and rests, MIDI ticks",
    QUANTIZED_COLUMN: "list of the quantized durations, MIDI ticks, as many as durations",
    "song_id": "the same for two performances of one song; null where not known",
    "ticks_per_beat": "resolution of the file; null where not known",
    "tempo": "microseconds per beat; null where not known",
    NAME_COLUMN: "name of the singer; null where there is none",
    "pitch": "list of MIDI note numbers, 0 for a rest, as many as durations",
}


def model_card(run: FinishedRun, name: str, carried: bool, singers: Names = {}) -> ModelCard:  # noqa: B006
    """Returns the card of a trained model. It names no path, because a card is public and paths may be private.

    Args:
        run: A finished run.
        name: The name that loads the model: `owner/name`, or a folder.
        carried: Whether the songs' durations are the quantizer's carried values; see `data.quantize.carried`.
        singers: The names of those singers who have one, by `singer_id`.
    """
    metrics, data = run.metrics, run.config["data"]
    model, copy = song_errors(run.predictions), song_errors(run.predictions, "quantized")
    dataset = data.get("name", PUBLISHED_DATASET) if data["source"] == "hub" else None
    if dataset and not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", dataset):
        dataset = None  # it is the path of a folder, not a name on the Hub
    source = data["source"] + (f", {dataset}" if dataset else "")
    onsets = (metrics.get("test/onset_mae"), metrics.get("test/copy_onset_mae"))
    results = {
        name: float(value)
        for name, value in zip(RESULTS, (*onsets, model.mae, copy.mae), strict=True)
        if value is not None
    }
    card = ModelCardData(
        license="mit",
        library_name="toy-duration-predictor",
        tags=["singing-voice", "timing", "midi", "duration-prediction"],
        datasets=[dataset] if dataset else None,
        model_name=name.rpartition("/")[2],
        eval_results=[
            EvalResult(
                task_type="other",
                task_name="Sung durations from quantized ones",
                dataset_type=dataset or data["source"],
                dataset_name=f"songs table {metrics['data/fingerprint']}",
                dataset_split="test",
                metric_type="mae",
                metric_name=what,
                metric_value=round(value, 4),
            )
            for what, value in results.items()
        ],
    )
    # Of the same notes, so that what is common to both errors does not widen the interval.
    difference = difference_interval(copy.error, model.error, model.notes, model.singer)
    skill = metrics.get("test/skill")
    seen = metrics["data/singers"] - metrics["data/unheard_singers"]  # type: ignore[operator]
    versions = ", ".join(
        f"{key.removeprefix('version/')} {value}"
        for key, value in sorted(metrics.items())
        if key.startswith("version/")
    )
    text = f"""# {name}

Puts a singer's own timing back into quantized note durations: quantized durations and a singer in, sung durations out,
in MIDI ticks; their running totals are onsets and ends. Network `{metrics["model"]}`,
{metrics["model/parameters"]:,} parameters, of [toy-duration-predictor]({REPOSITORY}).

```python
import toy_duration_predictor as tdp

predictor = tdp.Predictor.load("{name}")
```

## Data

| | |
| --- | --- |
| source | {source} |
| fingerprint of the songs table | `{metrics["data/fingerprint"]}` |
| songs; notes trained on | {metrics["data/songs"]:,}; {metrics["data/notes_train"]:,} |
| singers; of them with a song in training | {metrics["data/singers"]}; {seen} |{_named(singers)}
| split | {data["split"]}, seed {run.split_seed}: {len(model.row)} test songs, {model.notes.sum():,} notes |
| trained on | {data["pairing"]} -> sung durations; experiment `{run.arm}`, seed {run.seed} |

## Results

Mean absolute errors over the test songs. The copy baseline takes the quantized durations as the prediction.

{_heard(metrics)}

Those of durations, with 95 % BCa intervals over songs within singers:

| | ticks | interval |
| --- | --- | --- |
{_row("this model", _interval(model))}
{_row("copy baseline", _interval(copy))}
{_row("copy baseline minus this model", difference)}

Skill, 1 - MAE / MAE of the copy baseline: {f"{skill:.3f}" if skill is not None else "not known, as that MAE is 0"}.

## Limits

{_limits(run, carried)}

## Licence

Code and weights: MIT. The songs have a licence of their own, which only their owners can state.

## Provenance

Commit `{metrics["git/commit"]}`; {versions}.
"""
    return ModelCard(f"---\n{card.to_yaml()}\n---\n\n{text}")


def dataset_card(table: Dataset, name: str) -> DatasetCard:
    """Returns the card of a songs table: how to load it, its schema, and its audit.

    Args:
        table: A validated songs table.
        name: `owner/name` on the Hub.
    """
    (sung, _), (quantized, _) = (ragged(table, name) for name in ("sung", "quantized"))
    error = np.abs(sung - quantized).mean()
    card = DatasetCardData(
        pretty_name=name.rpartition("/")[2],
        size_categories=_size(len(table)),
        tags=["singing-voice", "timing", "midi"],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}],
    )
    schema = "\n".join(f"| `{column}` | {COLUMNS[column]} |" for column in table.column_names)
    # The audit is a page by itself; here its headings go down a level.
    found = render_markdown("Audit", audit(table)).replace("\n## ", "\n### ").replace("# Audit", "## Audit", 1)
    text = f"""# {name}

{len(table):,} performances by {len(set(table["singer_id"]))} singers, {len(sung):,} notes and rests: sung and
quantized durations. The copy baseline, which takes the quantized durations as the prediction, has a mean absolute error
of {error:.4f} ticks. Fingerprint `{fingerprint(table)}`.

```python
import toy_duration_predictor as tdp

songs = tdp.load_songs("hub", name="{name}")
```

## Schema

A row a performance.

| column | |
| --- | --- |
{schema}

{found}
Made with [toy-duration-predictor]({REPOSITORY}).
"""
    return DatasetCard(f"---\n{card.to_yaml()}\n---\n\n{text}")


def _named(singers: Names) -> str:
    """Returns a line of a table with the names of singers, for Markdown; nothing where they have none."""
    names = ", ".join(re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", name) for name in singers.values())
    return f"\n| their names | {names} |" if names else ""


def _interval(errors: SongErrors) -> Interval:
    return mae_interval(errors.error, errors.notes, errors.singer)


def _heard(metrics: Metrics) -> str:
    """Returns a table of the errors of onsets, inter-onset intervals and durations, in all units that are known."""
    lines = ["| errors of | unit | this model | copy baseline | share |", "| --- | --- | --- | --- | --- |"]
    for name, what in HEARD.items():
        for end, unit in (("", "ticks"), ("_beats", "beats"), ("_ms", "ms")):
            own, copied = (metrics.get(f"test/{copy}{name}{end}") for copy in ("", "copy_"))
            if own is not None and copied is not None:
                share = f"{float(own) / float(copied):.3f}" if copied else ""
                lines.append(f"| {what} | {unit} | {float(own):.4g} | {float(copied):.4g} | {share} |")
    return "\n".join(lines)


def _row(what: str, interval: Interval) -> str:
    return f"| {what} | {interval.estimate:.3f} | {interval.low:.3f} to {interval.high:.3f} |"


def _limits(run: FinishedRun, carried: bool) -> str:
    reads_style = run.config["training"]["loss"] == "likelihood" and not run.config["data"]["anonymous"]
    singers = f"It knows the {run.metrics['data/singers']} singers of its table. "
    singers += (
        "To sing like another one it must be given their songs; one or two say little."
        if reads_style
        else "It takes no others, and for singers without a song in training it guesses."
    )
    limits = [
        "One seed and one split. The intervals hold for other songs by these singers, not for other singers.",
        singers,
        "It hears no audio and reads no lyrics or pitches: it is given durations, which of them are rests, and the "
        "singer.",
        "It has not seen durations that are quantized to another grid than its data.",
    ]
    if carried:
        limits.append(
            'The "sung" durations that it was trained and tested on are not what singers sang. They are what the '
            "quantizer leaves of sung durations: the error of earlier notes is added to each, as in the published "
            "dataset."
        )
    if run.config["data"]["anonymous"]:
        limits.append("It was trained without the singer's identity, and predicts the same for all singers.")
    return "\n".join(f"- {limit}" for limit in limits)


def _size(rows: int) -> str:
    """Returns the Hub's category for a number of rows."""
    limits = {"n<1K": 10**3, "1K<n<10K": 10**4, "10K<n<100K": 10**5, "100K<n<1M": 10**6}
    return next((category for category, limit in limits.items() if rows < limit), "1M<n<10M")
