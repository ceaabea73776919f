"""The `tdp` command. Heavy modules are imported when their command runs, so that `tdp --help` is quick."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toy_duration_predictor.errors import InputError, did_you_mean, refusal, show_any_text
from toy_duration_predictor.loading import announce_libraries

# The terminal shows the first files that cannot be used; the .json file beside a table names them all.
REFUSED_SHOWN = 10

TRACK_HELP = "the voice's number, as tdp tracks shows it (default: found by lyrics, name, or as one note at a time)"
ENCODING_HELP = "that of lyrics and names in MIDI files, such as cp949 or euc_jp (default: found in each file)"
MODEL_HELP = (
    "a run's folder, a checkpoint, a saved model or its name on the Hub; or demo, which comes with this package and "
    "knows 18 simulated singers (default: %(default)s)"
)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; ends the process with status 1 on bad input, and with 130 when interrupted."""
    show_any_text()
    parsed = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's way to end a job is Ctrl-C's
    announce_libraries(f"tdp {parsed.command}")
    try:
        parsed.run(parsed)
        sys.stdout.flush()
    except InputError as error:
        sys.exit(_as_typed(str(error), parsed))
    except BrokenPipeError:  # whoever reads the output has enough of it, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python has yet to write at its end
        sys.exit(1)  # as rich does, which writes the tables
    except (OSError, UnicodeError) as error:
        if sentence := refusal(error):
            sys.exit(sentence)
        raise
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the same command goes on from there.\n")
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tdp", description="Songs tables from MIDI files, and a singer's timing for scores."
    )
    parser.add_argument("--version", action="version", version=f"tdp {version('toy-duration-predictor')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    prepare = commands.add_parser("prepare", help="make a songs table of a folder of MIDI files")
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("folder", type=Path, metavar="DIR", help="where the MIDI files are, at any depth")
    prepare.add_argument("-o", "--out", type=Path, required=True, help="the table to write, in Parquet format")
    prepare.add_argument(
        "--grid", default="32", help="note value, 1 to 256, with a t for triplets (default: %(default)s)"
    )
    prepare.add_argument("--no-error-forwarding", action="store_true", help="round each duration by itself")
    prepare.add_argument(
        "--shortest-rest",
        default="0.3ticks",
        help="shorter rests go to the note after them: a number with ticks, beats or s (default: %(default)s)",
    )
    prepare.add_argument(
        "--begin", default="J", help="lyric before the sung part, where it has one (default: %(default)s)"
    )
    prepare.add_argument("--end", default="H", help="lyric after it (default: %(default)s)")
    prepare.add_argument("--track", help=TRACK_HELP)
    prepare.add_argument("--encoding", help=ENCODING_HELP)
    prepare.add_argument("--singer", metavar="NAME", help="who sang all files (default: as the files or folders say)")
    prepare.add_argument("--names", help="regular expression for file names, with groups singer and song")
    prepare.add_argument(
        "--published",
        action="store_true",
        help="store carried values instead of sung durations, as the published recipe did",
    )
    prepare.add_argument("--strict", action="store_true", help="end at the first file that cannot be used")
    prepare.add_argument("--jobs", type=int, help="processes (default: as many as there are cores)")
    prepare.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="what runs them (default: %(default)s)"
    )

    tracks = commands.add_parser("tracks", help="list the voices of a MIDI file, and say which one is taken")
    tracks.set_defaults(run=_tracks)
    tracks.add_argument("file", type=Path, metavar="FILE", help="a .mid, .midi, .kar or .rmi file")
    tracks.add_argument("--encoding", help=ENCODING_HELP)

    audit = commands.add_parser("audit", help="say what is in a songs table, and whether it can be trusted")
    audit.set_defaults(run=_audit)
    audit.add_argument(
        "table", help="a Parquet file; or a source by its name, such as hub, the published dataset, or simulated"
    )
    audit.add_argument("--html", type=Path, help="write the audit as a page, too")
    audit.add_argument(
        "--repair", type=Path, metavar="OUT", help="write the table's known columns with the sung durations recovered"
    )

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
        type=float,
        default=1.0,
        help="factor of how late or early notes are, 0 to 1.5 (default: %(default)s)",
    )
    humanize.add_argument("--quantize", metavar="GRID", help="quantize the score first, to a grid such as 1/32 or 1/8t")
    humanize.add_argument("--temperature", type=float, help="sample a performance; below 1 a likelier one")
    humanize.add_argument("--seed", type=int, help="sample a performance; another one with each seed")
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
    humanize.add_argument("--tempo", type=float, help="beats a minute of a .ds file (default: by its notes' durations)")
    humanize.add_argument("--device", default="cpu", help="where to compute, such as cuda (default: %(default)s)")

    runs = commands.add_parser("runs", help="list runs, sweeps, searches and comparisons, and delete some")
    runs.set_defaults(run=_runs)
    runs.add_argument(
        "folder", type=Path, nargs="?", default=Path("logs"), help="where they lie (default: %(default)s)"
    )
    runs.add_argument("--arm", help="only runs of this arm, such as model_b")
    runs.add_argument("--data", help="only runs on this source of songs, such as parquet")
    runs.add_argument(
        "--state", choices=("finished", "interrupted", "pruned", "failed"), help="only those in this state"
    )
    runs.add_argument("--sort", metavar="METRIC", help="the best first, such as test/mae (default: the newest first)")
    runs.add_argument("--clean", action="store_true", help="delete what is listed by --arm, --data or --state")
    runs.add_argument("--yes", action="store_true", help="do not ask before that")

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

    demo = commands.add_parser("demo", help="a page to put a singer's timing into scores with")
    demo.set_defaults(run=_demo)
    demo.add_argument("--model", default="demo", help=MODEL_HELP)
    demo.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    demo.add_argument("--port", type=int, help="the port (default: the first free one from 7860 on)")
    return parser


def _prepare(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.data.midi.prepare import prepare
    from toy_duration_predictor.data.midi.recipe import Limit, Recipe

    if arguments.jobs is not None and arguments.jobs < 1:
        raise InputError(f"--jobs {arguments.jobs}: give at least 1.")
    recipe = Recipe(
        begin=arguments.begin,
        end=arguments.end,
        shortest_rest=Limit.parse(arguments.shortest_rest),
        grid=arguments.grid,
        forward_error=not arguments.no_error_forwarding,
        track=arguments.track,
        published=arguments.published,
        encoding=arguments.encoding,
    )
    done = prepare(
        arguments.folder,
        arguments.out,
        recipe,
        names=arguments.names,
        strict=arguments.strict,
        jobs=arguments.jobs,
        engine=arguments.engine,
        progress=_bar,
        singer=arguments.singer,
    )
    _show_refused(done.refused, f"; {arguments.out}.json names them all")
    for what, count in sorted(done.mended.items()):
        sys.stderr.write(f"Mended {count:,} times: {what}.\n")
    for what, count in sorted(done.remarks.items()):
        sys.stderr.write(f"Read {count:,} {'file' if count == 1 else 'files'} though {what}.\n")
    # Where each file has one voice, there is nothing to say of it.
    if done.voices.keys() - {"the only one"}:
        sys.stderr.write(f"The voices were taken as: {_counts(done.voices)}.\n")
    _show_passed_over(done.passed_over)
    if done.singers:
        sys.stdout.write(f"{done.singers}\n")
    sys.stdout.write(f"{arguments.out}: {done.songs:,} songs of {done.files:,} files, {done.notes:,} notes and rests\n")


def _tracks(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from toy_duration_predictor.scores.tracks import tracks_section
    from toy_duration_predictor.sections import render_text

    Console().print(render_text(f"Voices of {arguments.file}", [tracks_section(arguments.file, arguments.encoding)]))


def _audit(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.data.sources import load_songs, source_names

    name = arguments.table
    sources = set(source_names()) - {"midi", "parquet"}  # which are files
    if name not in sources:
        if Path(name).is_dir():
            raise InputError(f"{name} is a folder; make a songs table of its MIDI files with tdp prepare.")
        _check_exists(Path(name), f"a songs table in Parquet format, or a source ({did_you_mean(name, sources)})")

    import pyarrow.parquet as pq
    from rich.console import Console

    from toy_duration_predictor.data.audit import audit
    from toy_duration_predictor.data.origin import Origin, origins
    from toy_duration_predictor.data.repair import repair_table
    from toy_duration_predictor.files import write, write_text
    from toy_duration_predictor.sections import render_html, render_text

    table = load_songs(name) if name in sources else load_songs("parquet", path=name)
    title, sections = f"Audit of {name}", audit(table)
    Console().print(render_text(title, sections))
    if arguments.html:
        write_text(arguments.html, render_html(title, sections))
        sys.stdout.write(f"{arguments.html}: this audit as a page\n")
    if arguments.repair:
        rows = [row for row, each in enumerate(origins(table)) if each == Origin.QUANTIZER]
        repaired = repair_table(table, rows)
        write(arguments.repair, lambda path: pq.write_table(repaired.data.table, path))
        undecided = sum(map(sum, repaired["undecided"]))
        notes = sum(map(len, repaired["undecided"]))
        sys.stdout.write(
            f"{arguments.repair}: {len(rows):,} of {len(table):,} rows repaired; of {notes:,} notes the arithmetic "
            f"leaves {undecided:,} ({undecided / notes:.1%}) undecided. They are marked in column "
            f"'undecided' and have the likeliest duration.\n"
        )


def _humanize(arguments: argparse.Namespace) -> None:
    singer = None if arguments.singer is None else _singer(arguments.singer)
    recordings = [*(arguments.like or []), *filter(None, [arguments.began])]
    timing = [*([] if singer is None else [f"singer {arguments.singer}"]), *map(str, recordings)]
    if not timing:
        raise InputError("Whose timing? Give --singer, --like or --began.")
    for path in (arguments.score, *recordings):
        _check_exists(path, "a recording" if path in recordings else "a score, or a folder of scores")
    from toy_duration_predictor.inference.places import check_place

    check_place(arguments.model)
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
        progress=partial(_bar, what="Humanizing"),
        like=arguments.like,
        began=arguments.began,
    )
    _show_refused(done.refused)
    _show_passed_over(done.passed_over)
    for file, remarks in list(done.remarks.items())[:REFUSED_SHOWN]:
        sys.stderr.writelines(f"{file}: {remark}.\n" for remark in remarks)
    if len(done.remarks) > REFUSED_SHOWN:
        sys.stderr.write(
            f"{len(done.remarks) - REFUSED_SHOWN} more files were read; tdp tracks FILE shows each voice.\n"
        )
    files = f" {done.files:,} {'file' if done.files == 1 else 'files'}" if arguments.score.is_dir() else ""
    sys.stdout.write(f"{arguments.out}:{files} with the timing of {', '.join(timing)}\n")


def _runs(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from toy_duration_predictor.comparison.runs import chosen, delete, find_entries, in_order, size_text, table
    from toy_duration_predictor.sections import render_text

    filters = {name: getattr(arguments, name) for name in ("arm", "data", "state")}
    if arguments.clean and not any(filters.values()):
        raise InputError("--clean deletes what is listed; say what, by --state, --arm or --data.")
    entries, refused = find_entries(arguments.folder)
    entries = in_order(chosen(entries, **filters), arguments.sort)
    Console().print(render_text("Runs", [table(entries, arguments.folder, arguments.sort)]))
    _show_refused(refused)
    if not (arguments.clean and entries):
        return
    if not arguments.yes:
        question = f"Delete these {len(entries)} folders, {size_text(sum(e.size for e in entries))}? [y/N] "
        if not sys.stdin.isatty():
            raise InputError("Nothing is deleted without an answer; give --yes where nobody can be asked.")
        if input(question).strip().lower() not in ("y", "yes"):
            raise InputError("Nothing was deleted.")

    def at_work(entry: Any) -> None:
        sys.stderr.write(f"Left {entry.folder}: a process is in it, or it has changed within ten minutes.\n")

    for entry in delete(entries, at_work):
        sys.stdout.write(f"{entry.folder}: deleted\n")


def _push(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.inference.places import check_owner

    _check_exists(arguments.what, "a finished run's folder, or a .parquet songs table")
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
    from toy_duration_predictor.sharing.export import export

    export(arguments.model, arguments.out)
    sys.stdout.write(f"{arguments.out}: the model {arguments.model}, with the same numbers in onnxruntime\n")


def _demo(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.inference.places import check_place

    check_place(arguments.model)
    if arguments.port is not None and not 1 <= arguments.port <= 65535:
        raise InputError(f"--port {arguments.port}: give a number from 1 to 65535.")
    try:
        from toy_duration_predictor.demo.serve import serve
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise InputError("The page needs Gradio: pip install 'toy-duration-predictor[demo]'.") from error

    def ready(address: str) -> None:
        sys.stdout.write(f"{address}: the page; Ctrl-C ends it\n")
        sys.stdout.flush()

    serve(arguments.model, arguments.host, arguments.port, ready)


def _check_exists(path: Path, what: str) -> None:
    """Refuses a path where nothing is; `what` says what could be there."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give {what}.")


def _as_typed(message: str, arguments: argparse.Namespace) -> str:
    """Returns a sentence about a function's argument, `NAME=VALUE`, as one about the option `--NAME VALUE`."""
    named = re.match(r"(\w+)=", message)
    if not named or named[1] not in vars(arguments):
        return message
    return f"--{named[1].replace('_', '-')} {message[named.end() :]}"


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


def _show_refused(refused: dict[str, str], named: str = "") -> None:
    """Prints which files were left out. `named` says where the files that are not printed are named."""
    for file, reason in list(refused.items())[:REFUSED_SHOWN]:
        sys.stderr.write(f"Left out {file}: {reason}.\n")
    if len(refused) > REFUSED_SHOWN:
        sys.stderr.write(f"Left out {len(refused) - REFUSED_SHOWN} more{named}.\n")


def _show_passed_over(passed_over: dict[str, int]) -> None:
    if passed_over:
        sys.stderr.write(f"Passed over files of other kinds: {_counts(passed_over)}.\n")


def _counts(counts: dict[str, int]) -> str:
    """Returns counts in words, the largest first."""
    return ", ".join(
        f"{what} {count:,}" for what, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    )


def _bar(batches: Iterable[Any], number: int, what: str = "Preparing") -> Iterator[Any]:
    """Yields batches with a progress bar on the terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(batches, what, total=number, console=console, disable=not console.is_terminal)


if __name__ == "__main__":
    main()
