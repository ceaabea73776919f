"""Scores: `tdp humanize` and `tdp demo`."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from toy_duration_predictor.cli.terminal import (
    ENCODING_HELP,
    MODEL_HELP,
    REFUSED_SHOWN,
    TRACK_HELP,
    bar,
    check_exists,
    number,
    show_passed_over,
    show_refused,
    whole_number,
)
from toy_duration_predictor.errors import InputError, need


def add_to(commands: Any) -> None:
    """Adds the commands to the parser of `tdp`, argparse's subparsers."""
    humanize = commands.add_parser("humanize", help="put a singer's own timing into a score")
    humanize.set_defaults(run=_humanize)
    humanize.add_argument(
        "score",
        type=Path,
        metavar="SCORE",
        help="a .mid, .ds (DiffSinger), .csv or .json file, or a project of a singing editor such as .ustx, .svp or "
        ".musicxml (docs/scores.md names them all); or a folder of them, of which .csv and .json are left alone",
    )
    humanize.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        help="the file to write, in the format of the score; of a .mid file also a .csv or .json file; or a folder",
    )
    humanize.add_argument("--model", default="demo", help=MODEL_HELP)
    humanize.add_argument("--singer", help="a singer's name or number, or a mixture such as mix:Kim=0.5,7=0.5")
    humanize.add_argument(
        "--like",
        type=Path,
        nargs="+",
        action="extend",
        metavar="RECORDING",
        help="in place of --singer: MIDI recordings of a singer, whom the model need not know; a folder of them, or "
        "a .parquet songs table",
    )
    humanize.add_argument(
        "--began",
        type=Path,
        metavar="TAKE",
        help="a MIDI recording of the score's first notes, which stay as they were sung; the song goes on as it began",
    )
    humanize.add_argument(
        "--strength",
        type=number,
        default=1.0,
        help="factor of how late or early notes are, 0 to 1.5 (default: %(default)s)",
    )
    humanize.add_argument("--quantize", metavar="GRID", help="quantize the score first, to a grid such as 1/32 or 1/8t")
    humanize.add_argument("--temperature", type=number, help="sample a performance; below 1 a likelier one")
    humanize.add_argument("--seed", type=whole_number, help="sample a performance; another one with each seed")
    humanize.add_argument(
        "--legato",
        action="store_true",
        help="let all notes touch that touch in the score, not only those of one syllable",
    )
    humanize.add_argument("--track", help=TRACK_HELP)
    humanize.add_argument("--polyphonic", action="store_true", help="move notes that overlap; they keep their lengths")
    humanize.add_argument("--begin", default="", metavar="LYRIC", help="move the notes after this lyric only")
    humanize.add_argument("--end", default="", metavar="LYRIC", help="move the notes before this lyric only")
    humanize.add_argument("--encoding", help=ENCODING_HELP)
    humanize.add_argument(
        "--tempo", type=number, help="beats a minute of a .ds file (default: by its notes' durations)"
    )
    humanize.add_argument("--device", default="cpu", help="where to compute, such as cuda (default: %(default)s)")

    demo = commands.add_parser("demo", help="a page to put a singer's timing into scores with")
    demo.set_defaults(run=_demo)
    demo.add_argument("--model", default="demo", help=MODEL_HELP)
    demo.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    demo.add_argument("--port", type=whole_number, help="the port (default: the first free one from 7860 on)")


def _humanize(arguments: argparse.Namespace) -> None:
    singer = None if arguments.singer is None else _singer(arguments.singer)
    if singer is not None and arguments.like:
        raise InputError("--singer and --like exclude each other; give one of the two.")
    recordings = [*(arguments.like or []), *filter(None, [arguments.began])]
    timing = [*([] if singer is None else [f"singer {arguments.singer}"]), *map(str, recordings)]
    if not timing:
        raise InputError("Whose timing? Give --singer, --like or --began.")
    for path in (arguments.score, *recordings):
        check_exists(path, "a recording" if path in recordings else "a score, or a folder of scores")
    from toy_duration_predictor.inference.places import check_place, check_singer

    check_place(arguments.model)
    if singer is not None:
        check_singer(arguments.model, singer)
    from toy_duration_predictor.scores.humanize import humanize
    from toy_duration_predictor.scores.perform import HumanizeSettings

    # Each setting has an option of the same name.
    settings = HumanizeSettings(**{name: getattr(arguments, name) for name in HumanizeSettings._fields})
    done = humanize(
        arguments.score,
        arguments.out,
        arguments.model,
        singer,
        settings,
        device=arguments.device,
        progress=partial(bar, what="Humanizing"),
        like=arguments.like,
        began=arguments.began,
    )
    show_refused(done.refused)
    show_passed_over(done.passed_over)
    for file, remarks in list(done.remarks.items())[:REFUSED_SHOWN]:
        sys.stderr.writelines(f"{file}: {remark}.\n" for remark in remarks)
    if len(done.remarks) > REFUSED_SHOWN:
        more = len(done.remarks) - REFUSED_SHOWN
        sys.stderr.write(f"{more} more files were read; tdp tracks FILE shows the voice of a MIDI file.\n")
    files = f" {done.files:,} {'file' if done.files == 1 else 'files'}" if arguments.score.is_dir() else ""
    sys.stdout.write(f"{arguments.out}:{files} with the timing of {', '.join(timing)}\n")


def _demo(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.demo.address import check_address
    from toy_duration_predictor.inference.places import check_place

    check_place(arguments.model)
    if arguments.port is not None and not 1 <= arguments.port <= 65535:
        raise InputError(f"--port {arguments.port}: give a number from 1 to 65535.")
    check_address(arguments.host, arguments.port)
    need("The page", "demo", "gradio")
    from toy_duration_predictor.demo.serve import serve

    def ready(address: str) -> None:
        sys.stdout.write(f"{address}: the page; Ctrl-C ends it\n")
        sys.stdout.flush()

    serve(arguments.model, arguments.host, arguments.port, ready)


def _singer(text: str) -> int | str | dict[int | str, float]:
    """Reads a singer's number or name, or a mixture such as `mix:Kim=0.5,7=0.5`."""
    from toy_duration_predictor.data.singers import number_or_name

    try:
        if not text.startswith("mix:"):
            return number_or_name(text)
        parts = [part.split("=") for part in text.removeprefix("mix:").split(",")]
        weights = {number_or_name(singer): float(weight) for singer, weight in parts}
    except ValueError as error:  # an InputError, too
        message = f"--singer {text}: give a singer's name or number, or a mixture such as mix:Kim=0.5,7=0.5."
        raise InputError(message) from error
    if len(weights) < len(parts):
        raise InputError(f"--singer {text}: a singer has two weights; give each one.")
    return weights
