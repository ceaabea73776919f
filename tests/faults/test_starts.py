"""The same command, twice at once."""

import pytest

from tests.conftest import SHORT
from tests.faults.processes import check, finish, said, start

pytestmark = pytest.mark.faults

PAIRS = 20


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    logs = tmp_path_factory.mktemp("undisturbed") / "logs"
    finish(logs, *SHORT)
    (folder,) = (path for path in logs.iterdir() if path.is_dir())
    return folder


@pytest.mark.parametrize("force", [False, True])
def test_one_of_two_runs_waits(undisturbed, tmp_path, force):
    """The second one finds the run finished, or with `force=true` runs it again; it does not end the first."""
    for pair in range(PAIRS):
        logs = tmp_path / str(pair)
        processes = [start(logs, *SHORT), start(logs, *SHORT, f"force={str(force).lower()}")]
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0], said(logs)
        assert said(logs).count("epoch 1/1") == 1 or force
        check(logs, undisturbed)
