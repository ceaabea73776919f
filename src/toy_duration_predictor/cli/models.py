"""Models elsewhere: `tdp push`, `tdp pull` and `tdp export`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from toy_duration_predictor.cli.terminal import check_ending, check_exists
from toy_duration_predictor.errors import InputError, need


def add_to(commands: Any) -> None:
    """Adds the commands to the parser of `tdp`, argparse's subparsers."""
    push = commands.add_parser("push", help="put a trained run or a songs table on the Hugging Face Hub")
    push.set_defaults(run=_push)
    push.add_argument("what", type=Path, metavar="RUN", help="a finished run's folder, or a .parquet songs table")
    push.add_argument("name", metavar="NAME", help="owner/name; a new repository is made where there is none")
    push.add_argument("--private", action="store_true", help="make a new repository for the owner's eyes only")

    pull = commands.add_parser("pull", help="get a model from the Hugging Face Hub")
    pull.set_defaults(run=_pull)
    pull.add_argument("name", metavar="NAME", help="owner/name, or owner/name/folder")
    pull.add_argument("-o", "--out", type=Path, metavar="DIR", help="a new folder (default: NAME's last part)")
    pull.add_argument("--revision", help="a commit hash, tag or branch (default: the newest)")

    export = commands.add_parser("export", help="write a model as an ONNX file, for programs without torch")
    export.set_defaults(run=_export)
    export.add_argument("model", help="a run's folder, a checkpoint, a saved model or its name on the Hub")
    export.add_argument("-o", "--out", type=Path, required=True, help="the file to write")


def _push(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.inference.places import check_owner

    check_exists(arguments.what, "a finished run's folder, or a .parquet songs table")
    if arguments.what.suffix != ".parquet" and not (arguments.what / "metrics.json").is_file():
        raise InputError(f"{arguments.what} is neither a finished run's folder nor a .parquet songs table; give one.")
    check_owner(arguments.name, "dataset" if arguments.what.suffix == ".parquet" else "model")
    from toy_duration_predictor.sharing.hub import push, push_dataset

    # A songs table is a file, a run is a folder.
    put = push_dataset if arguments.what.suffix == ".parquet" else push
    sys.stdout.write(f"{put(arguments.what, arguments.name, arguments.private)}\n")


def _pull(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.files import refuse_full
    from toy_duration_predictor.inference.places import hub_name

    out = arguments.out or Path(Path(arguments.name).name)
    hub_name(arguments.name)
    refuse_full(out)
    from toy_duration_predictor.sharing.hub import pull

    pull(arguments.name, out, arguments.revision)
    sys.stdout.write(f"{out}: the model {arguments.name}\n")


def _export(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.inference.places import check_place

    check_place(arguments.model)
    check_ending(arguments.out, ".onnx")
    need("An export", "onnx", "onnxscript", "onnxruntime")
    from toy_duration_predictor.sharing.export import export

    export(arguments.model, arguments.out)
    sys.stdout.write(f"{arguments.out}: the model {arguments.model}, with the same numbers in onnxruntime\n")
