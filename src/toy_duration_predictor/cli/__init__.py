"""The `tdp` command: a module of commands for each kind of work. Heavy modules are imported when their command runs."""

import argparse
import os
import re
import signal
import sys
from importlib.metadata import version

from toy_duration_predictor.cli import models, runs, scores, tables
from toy_duration_predictor.cli.terminal import Parser
from toy_duration_predictor.errors import InputError, refusal, show_any_text
from toy_duration_predictor.loading import announce_libraries


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; ends the process with status 1 on bad input, and with 130 when interrupted."""
    show_any_text()
    parser = make_parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        parser.print_help(sys.stderr)
        sys.exit(2)
    parsed = parser.parse_args(arguments)
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
        goes_on = "; the same command goes on from there" if parsed.command == "prepare" else ""
        sys.stderr.write(f"Interrupted{goes_on}.\n")
        sys.exit(130)


def make_parser() -> Parser:
    """Returns the parser of all commands."""
    parser = Parser(prog="tdp", description="Songs tables from MIDI files, and a singer's timing for scores.")
    parser.add_argument("--version", action="version", version=f"tdp {version('toy-duration-predictor')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (tables, scores, runs, models):
        module.add_to(commands)
    return parser


def _as_typed(message: str, arguments: argparse.Namespace) -> str:
    """Returns a sentence about a function's argument, `NAME=VALUE`, as one about the option `--NAME VALUE`."""
    named = re.match(r"(\w+)=", message)
    if not named or named[1] not in vars(arguments):
        return message
    return f"--{named[1].replace('_', '-')} {message[named.end() :]}"
