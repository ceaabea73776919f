"""The report in TensorBoard: its tables as text, its pictures, and the error of each arm and baseline."""

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from toy_duration_predictor.experiment.evidence import SongErrors, mean_over_repetitions
from toy_duration_predictor.page import Section, render_markdown

# Ends the name of a report's event file, so that another report replaces it and no other.
SUFFIX = ".report"


def write_events(folder: Path, title: str, parts: list[Section], errors: dict[str, list[SongErrors]]) -> None:
    """Writes tables, pictures and errors for TensorBoard; an earlier report's file is replaced.

    Args:
        folder: The report's.
        title: Of the report.
        parts: Its sections.
        errors: Test errors of each arm and baseline, one a repetition.
    """
    for earlier in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
        earlier.unlink()
    with SummaryWriter(str(folder), filename_suffix=SUFFIX) as writer:
        writer.add_text("report", render_markdown(title, parts))
        for name, repetitions in errors.items():
            writer.add_scalar(f"mae/{name}", mean_over_repetitions(repetitions).mae)
        for part in parts:
            for number, picture in enumerate(part.pictures):
                writer.add_figure(f"{part.title}/{number}" if number else part.title, picture)
