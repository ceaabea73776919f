"""What every Hydra command of this project does about errors and signals: one sentence, and an exit status."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import omegaconf
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from toy_duration_predictor.errors import InputError, did_you_mean, refusal, show_any_text
from toy_duration_predictor.loading import announce_libraries

# Groups of `conf` whose choices set keys of other groups: a configuration has no key of their names.
GLOBAL_GROUPS = ("experiment", "sweep")


class Interrupted(Exception):  # noqa: N818
    """A signal ended a run; what was done so far is on disk.

    Args:
        message: A sentence for the user.
        signal_number: The signal's.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


def run_command(main: Callable[[], None]) -> None:
    """Runs a script's Hydra main; errors of composing its configuration end as `ending_in_a_sentence` says."""
    script = Path(inspect.unwrap(main).__code__.co_filename)
    announce_libraries(script.name)
    omegaconf.OmegaConf.register_new_resolver("explained", _explained, replace=True)  # what `--help` asks for
    if script == Path(sys.argv[0]).resolve():
        sys.argv[1:] = _as_hydra_reads(sys.argv[1:])
    # Hydra would print its own version of every error; so it is told to hand them on.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with ending_in_a_sentence(script.parents[1] / "conf"):
        main()


def _as_hydra_reads(arguments: list[str]) -> list[str]:
    """Returns what was typed in the form that Hydra reads; ends the process where an option is none."""
    options = get_args_parser()
    options.allow_abbrev = False
    wrong = [argument for argument in options.parse_known_args(arguments)[1] if argument.startswith("-")]
    if wrong:
        _end(f"There is no option {wrong[0]}; settings are given as NAME=VALUE, such as seed=1. See --help.", 2)
    # Hydra takes no settings before -m if others follow it.
    arguments = sorted(arguments, key=lambda argument: argument not in ("-m", "--multirun"))
    return [_quoted(argument) for argument in arguments]


def _quoted(argument: str) -> str:
    """Returns a setting with quotes if Hydra cannot read its value: a path with parentheses or letters beyond ASCII."""
    name, _, value = argument.partition("=")
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        if value and value[0] not in "[{'\"":
            quote = '"' if "'" in value else "'"
            return f"{name}={quote}{value}{quote}"
    return argument


def _explained(*, _root_: omegaconf.DictConfig) -> str:
    from toy_duration_predictor.training.explained import help_text

    return help_text(_root_).replace("$", "$$")  # Hydra takes it for a template


@contextmanager
def ending_in_a_sentence(conf: Path | None = None) -> Iterator[None]:
    """Ends the process with one sentence and status 1 on bad input, and with 128 + signal when interrupted.

    Errors that are not the user's keep their traceback. It belongs within a Hydra main, too: Hydra lets the end of a
    process pass, and announces everything else.

    Args:
        conf: The folder of the configurations, if what is said of an unknown setting may look into it.
    """
    show_any_text()
    try:
        yield
    except InputError as error:
        _end(str(error), 1)
    except (HydraException, OmegaConfBaseException) as error:  # before the next: Hydra's may be the system's, too
        _end(_sentence(error, conf), 1)
    except (OSError, UnicodeError) as error:
        if sentence := refusal(error):
            _end(sentence, 1)
        raise
    except Interrupted as error:
        sys.exit(128 + error.signal_number)  # the log has said what there is to say
    except KeyboardInterrupt:
        _end("Interrupted; the same command goes on from there.", 130)


def _end(message: str, status: int) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n")
    sys.exit(status)


def _sentence(error: Exception, conf: Path | None) -> str:
    """Returns one sentence for an error of Hydra's or OmegaConf's, with the nearest key where one was misspelt."""
    if isinstance(error, MissingConfigException) and error.options:
        group = str(error.missing_cfg_file).rpartition("/")[0]
        choice = str(error.missing_cfg_file).rpartition("/")[2]
        return f"{group}={choice}: there is no such choice; {did_you_mean(choice, error.options)}"
    if isinstance(error, OverrideParseException):
        return (
            f"'{error.override}' cannot be read ({str(error).splitlines()[0]}); settings are given as "
            f"NAME=VALUE, and a value with brackets or commas takes quotes within quotes, such as \"KEY='VALUE'\"."
        )
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OmegaConfBaseException):
        cause = cause.__cause__
    if isinstance(cause, OmegaConfBaseException) and isinstance(cause.parent_node, omegaconf.DictConfig):
        parent, key = cause.parent_node, str(cause.key)
        if key not in parent:
            if conf is not None:
                from toy_duration_predictor.training.explained import choices_with

                if choices := choices_with(conf, str(cause.full_key)):
                    one = "one of them" if len(choices) > 1 else "that"
                    return f"'{cause.full_key}' is a setting of {' and of '.join(choices)}; give {one}, too."
            known = [*map(str, parent), *(GLOBAL_GROUPS if cause.full_key == key else ())]
            return f"There is no setting '{cause.full_key}'; {did_you_mean(key, known)}"
    return " ".join(line.strip() for line in str(error).splitlines()[:2])
