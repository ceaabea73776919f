"""How every command ends: one sentence, and a status."""

import signal

import pytest

from toy_duration_predictor.training.commands import Interrupted, run_command


def test_commands_end_with_one_sentence_and_a_status(capsys):
    def interrupted():
        raise Interrupted("Stopped.", signal.SIGTERM)

    def stopped_early():
        raise KeyboardInterrupt

    for main, status, sentence in (
        (interrupted, 143, ""),
        (stopped_early, 130, "Interrupted; the same command goes on"),
    ):
        with pytest.raises(SystemExit) as error:
            run_command(main)
        assert error.value.code == status
        assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sede=1", "There is no setting 'sede'; did you mean 'seed'?"),
        ("training.max_epoch=3", "There is no setting 'training.max_epoch'; did you mean 'max_epochs'?"),
        ("data.singer_efect=1", "There is no setting 'data.singer_efect'; did you mean 'singer_effect'?"),
        ("experiment=model_c", "experiment=model_c: there is no such choice; did you mean 'model_b'?"),
        ("experimnt=model_b", "There is no setting 'experimnt'; did you mean 'experiment'?"),
        ("modle=bigru", "There is no setting 'modle'; did you mean 'model'?"),
        ("seed=[1", "'seed=[1' cannot be read"),
        ("logs=/tmp/é", "takes quotes within quotes"),
    ],
)
def test_typos_are_answered_with_the_nearest_key(config, capsys, override, message):
    with pytest.raises(SystemExit) as status:
        run_command(lambda: config(override))
    assert status.value.code == 1
    assert message in capsys.readouterr().err


def test_an_error_that_is_not_the_users_keeps_its_traceback():
    def broken():
        raise KeyError("ours")

    with pytest.raises(KeyError):
        run_command(broken)


def test_help_and_mistakes_answer_without_torch(script, tmp_path):
    """Importing torch and Lightning takes seconds."""
    for name, arguments in (
        ("train.py", ["--help"]),
        ("train.py", ["training.max_epochs=0"]),
        ("train.py", ["sede=1"]),
        ("evaluate.py", ["--help"]),
        ("search.py", ["--help"]),
        ("evaluate.py", []),
    ):
        done = script(name, *arguments, cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
        assert done.returncode == (0 if "--help" in arguments else 1)
        said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
        assert len(said) == (0 if "--help" in arguments else 1)
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "hydra" in imported
        assert not {"torch", "lightning", "datasets", "numba", "matplotlib"} & imported
    assert list(tmp_path.iterdir()) == []


def test_paths_are_given_as_they_are(script, tmp_path):
    """Hydra asks for quotes around parentheses and letters beyond ASCII, which nobody expects of a path."""
    for path in ("노래 (1).parquet", "it's (2), 노래.parquet", '"quoted".parquet', "plain.parquet"):
        typed = f"'{path}'" if path[0] == '"' else path
        done = script("train.py", "data=parquet", f"data.path={typed}", cwd=tmp_path)
        assert done.stderr == f"{path} does not exist; give the path of songs as data.path=PATH.\n"
