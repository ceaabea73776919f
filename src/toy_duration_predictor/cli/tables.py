"""Songs tables: `tdp prepare`, `tdp tracks` and `tdp audit`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from toy_duration_predictor.cli.terminal import (
    ENCODING_HELP,
    TRACK_HELP,
    bar,
    check_ending,
    check_exists,
    counts,
    show_passed_over,
    show_refused,
    whole_number,
)
from toy_duration_predictor.errors import InputError, did_you_mean


def add_to(commands: Any) -> None:
    """Adds the commands to the parser of `tdp`, argparse's subparsers."""
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
    prepare.add_argument("--jobs", type=whole_number, help="processes (default: as many as it may use cores)")
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


def _prepare(arguments: argparse.Namespace) -> None:
    check_ending(arguments.out, ".parquet")
    from toy_duration_predictor.data.midi.prepare import prepare
    from toy_duration_predictor.data.midi.recipe import Limit, Recipe

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
        progress=bar,
        singer=arguments.singer,
    )
    show_refused(done.refused, f"; {arguments.out}.json names them all")
    for what, count in sorted(done.mended.items()):
        sys.stderr.write(f"Mended {count:,} times: {what}.\n")
    for what, count in sorted(done.remarks.items()):
        sys.stderr.write(f"Read {count:,} {'file' if count == 1 else 'files'} though {what}.\n")
    # Where each file has one voice, there is nothing to say of it.
    if done.voices.keys() - {"the only one"}:
        sys.stderr.write(f"The voices were taken as: {counts(done.voices)}.\n")
    show_passed_over(done.passed_over)
    if done.singers:
        sys.stdout.write(f"{done.singers}\n")
    sys.stdout.write(f"{arguments.out}: {done.songs:,} songs of {done.files:,} files, {done.notes:,} notes and rests\n")


def _tracks(arguments: argparse.Namespace) -> None:
    check_exists(arguments.file, "a MIDI file")
    from rich.console import Console

    from toy_duration_predictor.scores.tracks import tracks_section
    from toy_duration_predictor.sections import render_text

    Console().print(render_text(f"Voices of {arguments.file}", [tracks_section(arguments.file, arguments.encoding)]))


def _audit(arguments: argparse.Namespace) -> None:
    from toy_duration_predictor.data.sources import load_songs, source_names

    name = arguments.table
    check_ending(arguments.html, ".html")
    check_ending(arguments.repair, ".parquet")
    sources = set(source_names()) - {"midi", "parquet"}  # which are files
    if name not in sources:
        if Path(name).is_dir():
            raise InputError(f"{name} is a folder; make a songs table of its MIDI files with tdp prepare.")
        check_exists(Path(name), f"a songs table in Parquet format, or a source ({did_you_mean(name, sources)})")

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
