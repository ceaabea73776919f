"""The same sweep by each of Hydra's launchers, to the last digit; and processes that are killed within it."""

import importlib.util
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from tests.conftest import ROOT, SHORT
from tests.faults.processes import result, same

pytestmark = pytest.mark.faults

# Arms and seeds of the four trials. The arm is not named twice.
SWEEP = ("-m", "experiment=model_a,model_b", "seed=0,1", *SHORT[1:])
LONG = ("-m", "seed=0,1", *SHORT[1:], "training.max_epochs=40", "training.patience=40")
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
# A Ray that this command starts has 75 MB for objects unless it is told otherwise, and refuses to be told by one that
# joins a cluster.
RAY = ("hydra/launcher=ray",)
RAY_CLUSTER = (*RAY, "+hydra.launcher.ray.init.object_store_memory=null")
LAUNCHERS = {
    "joblib": ("hydra_joblib_launcher", JOBLIB),
    # It starts all trials at once.
    "submitit": ("hydra_submitit_launcher", ("hydra/launcher=submitit_local",)),
    "ray": (
        "hydra_ray_launcher",
        (*RAY, "+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.include_dashboard=false"),
    ),
}
SECONDS = 600
# Ray gives its workers the lowest priority but four, and warns of what it will change. Whoever would join a cluster
# needs its token, which is made here and for these processes alone.
OF_RAY = {
    "RAY_worker_niceness": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


def needs(launcher):
    if importlib.util.find_spec("hydra_plugins") is None or not importlib.util.find_spec(f"hydra_plugins.{launcher}"):
        pytest.skip(f"{launcher} is not installed")


def start(folder, *arguments, **environment):
    """Starts `train.py` in a folder, with the processes of which it is the first; what is said goes to `said.txt`."""
    folder.mkdir(exist_ok=True)
    with (folder / "said.txt").open("a") as file:
        command = [sys.executable, ROOT / "scripts" / "train.py", *arguments]
        environment = {**os.environ, **OF_RAY, **environment}
        return subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, start_new_session=True, env=environment)


def said(folder):
    return (folder / "said.txt").read_text()


def finish(folder, *arguments, **environment):
    """Gives a command, and waits for its end."""
    assert start(folder, *arguments, **environment).wait(SECONDS) == 0, said(folder)


def results(folder):
    """Returns all that is used of each run, by its folder's name."""
    return {path.parent.name: result(path.parent) for path in folder.glob("logs/*/metrics.json")}


def trials(folder):
    """Returns the states of the trials of a folder's last sweep."""
    report = max(folder.glob("logs/sweeps/*/report.json"))
    return [trial["state"] for trial in json.loads(report.read_text())["trials"]]


def at_work(process, folder, among=None):
    """Waits for a process of a command that has trained a run for two epochs; one among these, if they are named."""
    began = time.monotonic()
    while time.monotonic() < began + SECONDS and process.poll() is None:
        for lock in folder.glob("logs/*/.lock"):
            log = lock.with_name("train.log")
            if log.is_file() and "epoch 2/" in log.read_text():
                found = holders(lock) & (among() if among else holders(lock))
                if found:
                    return found.pop()
        time.sleep(0.02)
    return pytest.fail(said(folder))


def holders(lock):
    """Returns the processes that have a lock's file open."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(file.readlink()) == str(lock) for file in process.glob("fd/*")):
                found.add(int(process.name))
        except OSError:  # it has ended
            continue
    return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The results of four trials, one after the other."""
    folder = tmp_path_factory.mktemp("basic") / "sweep"
    finish(folder, *SWEEP)
    found = results(folder)
    assert len(found) == len(trials(folder)) == 4
    return found


@pytest.fixture(scope="module")
def expected_long(tmp_path_factory):
    """The results of two longer trials, one after the other."""
    folder = tmp_path_factory.mktemp("basic") / "sweep"
    finish(folder, *LONG)
    return results(folder)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_each_launcher_gives_the_same_numbers(expected, tmp_path, launcher):
    module, settings = LAUNCHERS[launcher]
    needs(module)
    finish(tmp_path / "sweep", *SWEEP, *settings)
    assert trials(tmp_path / "sweep") == ["finished"] * 4
    assert same(results(tmp_path / "sweep"), expected)


def test_a_worker_of_joblib_that_is_killed_takes_nothing_along(expected_long, tmp_path):
    """The sweep ends, as its pool is broken. The same command goes on, with the trial beside it where that was."""
    needs("hydra_joblib_launcher")
    folder = tmp_path / "sweep"
    process = start(folder, *LONG, *JOBLIB)
    os.kill(at_work(process, folder), signal.SIGKILL)
    assert process.wait(SECONDS) != 0
    finish(folder, *LONG, *JOBLIB)
    assert trials(folder) == ["finished"] * 2
    assert "Going on after epoch " in said(folder)
    assert same(results(folder), expected_long)


SLURM = {
    # Stores the script, and runs its array as Slurm would, a task after another.
    "sbatch": """#!/bin/bash
cp "$1" "$FAKE_SLURM/script.sh"
count=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1")
(for task in $(seq 0 "$count"); do
    SLURM_JOB_ID=$((8 + task)) SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_NTASKS=1 SLURM_PROCID=0 \\
    SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=node SLURM_JOB_NAME=train \\
    bash "$FAKE_SLURM/script.sh" >> "$FAKE_SLURM/jobs.txt" 2>&1
done) > /dev/null 2>&1 &
echo "Submitted batch job 7"
""",
    "srun": """#!/bin/bash
while [[ $1 == --* ]]; do
    [[ $1 == --output || $1 == --error ]] && shift
    shift
done
exec "$@"
""",
    "sacct": "#!/bin/bash\necho 'JobID|State|NodeList'\n",
}


def test_the_script_that_slurm_is_given(expected, tmp_path):
    """It asks for what was named, and what it runs does run here. No Slurm is at hand."""
    needs("hydra_submitit_launcher")
    for name, text in SLURM.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    folder = tmp_path / "sweep"
    settings = ("partition=short", "timeout_min=90", "cpus_per_task=2", "mem_gb=4", "array_parallelism=3")
    slurm = ("hydra/launcher=submitit_slurm", *(f"hydra.launcher.{setting}" for setting in settings))
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FAKE_SLURM": str(tmp_path)}
    finish(folder, *SWEEP, *slurm, **path)
    script = (tmp_path / "script.sh").read_text()
    asked = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.MULTILINE))
    assert {name: asked[name] for name in ("partition", "time", "cpus-per-task", "mem", "array", "nodes")} == {
        "partition": "short",
        "time": "90",
        "cpus-per-task": "2",
        "mem": "4GB",
        "array": "0-3%3",
        "nodes": "1",
    }
    (command,) = re.findall(r"^srun .*$", script, re.MULTILINE)
    assert f" {sys.executable} -u -m submitit.core._submit " in command
    assert str(folder.resolve()) in command or "logs/sweeps/" in command
    assert trials(folder) == ["finished"] * 4, (tmp_path / "jobs.txt").read_text()
    assert same(results(folder), expected)


@contextmanager
def ray_node(*arguments):
    """A node of Ray's on this machine; all of its processes end with the block."""
    ray = Path(sys.executable).with_name("ray")
    command = [ray, "start", "--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    node = psutil.Popen([*command, *arguments], env={**os.environ, **OF_RAY}, **quiet)
    try:
        yield node
    finally:
        kill(node)


def kill(node):
    """Ends all processes of a node by `kill -9`; returns their numbers."""
    processes = [*node.children(recursive=True), node] if node.is_running() else []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    node.wait()
    return {process.pid for process in processes}


def test_a_node_of_ray_that_is_killed_leaves_its_run_to_the_other(expected_long, tmp_path):
    """Two nodes, of one core each, on loopback."""
    needs("hydra_ray_launcher")
    folder = tmp_path / "sweep"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = (f"hydra.launcher.ray.init.address={address}", *RAY_CLUSTER, f"logs={folder}/logs")
    # Sockets lie in this folder, and their names may not be long.
    with TemporaryDirectory(prefix="ray") as temporary:
        head = ("--head", f"--port={address.partition(':')[2]}", "--include-dashboard=false", f"--temp-dir={temporary}")
        with ray_node(*head):
            wait_for(address)
            with ray_node(f"--address={address}") as second:
                process = start(folder, *LONG, *cluster)
                worker = at_work(process, folder, lambda: {child.pid for child in second.children(recursive=True)})
                assert worker in kill(second)
                assert process.wait(SECONDS) == 0, said(folder)
    assert trials(folder) == ["finished"] * 2
    logs = [path.read_text() for path in folder.glob("logs/*/train.log")]
    assert sum("Going on after epoch " in log for log in logs) == 1
    assert same(results(folder), expected_long)


def wait_for(address):
    """Waits until something listens at an address."""
    host, port = address.split(":")
    for _ in range(SECONDS):
        with suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.5)
    pytest.fail(f"nothing listens at {address}")
