"""200 short runs in one multirun: memory, open files and disk do not grow with their number."""

import json
import os
import runpy
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, SHORT
from tests.faults.processes import said, start_work
from toy_duration_predictor.training import train as module

pytestmark = pytest.mark.faults

# A second and a half each.
RUNS, WARM = 200, 50


def _sweep(logs, records):
    train = module.train

    def recorded(config):
        metrics = train(config)
        mapped = Path("/proc/self/maps").read_text().splitlines()
        record = {
            "memory": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6,
            "files": len(list(Path("/proc/self/fd").iterdir())),
            "maps": len(mapped),
            "deleted": sum(line.endswith("(deleted)") for line in mapped),
            "disk": sum(path.stat().st_size for path in Path(metrics["run/folder"]).rglob("*")) / 1e6,
        }
        with records.open("a") as file:
            file.write(json.dumps(record) + "\n")
        return metrics

    module.train = recorded
    os.chdir(logs)
    sys.argv = ["train.py", "-m", *SHORT, f"seed=range({RUNS})", f"logs={logs}/logs"]
    runpy.run_path(str(ROOT / "scripts" / "train.py"), run_name="__main__")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not say what is mapped")
def test_many_runs_in_one_process(tmp_path, capsys):
    logs, records = tmp_path / "sweep", tmp_path / "records"
    logs.mkdir()
    process = start_work(logs, _sweep, logs, records)
    process.join()
    assert process.exitcode == 0, said(logs)
    found = [json.loads(line) for line in records.read_text().splitlines()]
    assert len(found) == RUNS
    warm, last = found[WARM - 1], found[-1]
    with capsys.disabled():
        sys.stdout.write(f"\nafter {WARM} runs {warm}\nafter {RUNS} runs {last}\n")
    for name in ("files", "deleted"):
        assert last[name] <= warm[name]
    # MB. Hydra keeps 0.12 of each trial's configuration until the sweep ends; whatever else stayed would be more.
    assert last["memory"] < warm["memory"] + 0.2 * (RUNS - WARM)
    assert last["maps"] < warm["maps"] + 50
    assert last["disk"] < 1.1 * warm["disk"]
