"""What works through the parts of a preparation: processes of this machine, or Ray."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from toy_duration_predictor.errors import need

# Where the rows of a part go, and the part's files.
Part: TypeAlias = tuple[Path, list[str]]
# Takes a part; returns why it cannot be done, or nothing.
Work: TypeAlias = Callable[[Any], str]

# Below this many files, starting processes takes longer than reading.
FILES_WORTH_PROCESSES = 400


def _local(work: Work, parts: list[Part], jobs: int) -> Iterable[str]:
    """Works in processes, if there are enough files: torch's, which end with this process, and quietly at Ctrl-C."""
    if jobs == 1 or sum(len(files) for _, files in parts) < FILES_WORTH_PROCESSES:
        return map(work, parts)
    import torch  # not at the top: it takes longer than reading some hundred files
    from torch.utils.data import DataLoader

    return DataLoader(
        parts,  # type: ignore[arg-type]
        batch_size=None,
        collate_fn=work,
        num_workers=jobs,
        # A process is a new interpreter: a fork would have locks that this process's threads hold.
        multiprocessing_context="spawn",
        # The loader takes a random number. Without a generator of its own, training would have other numbers after it.
        generator=torch.Generator(),
    )


def _ray(work: Work, parts: list[Part], jobs: int) -> Iterable[str]:
    """Works in Ray Data, on the cluster that RAY_ADDRESS names, or on this machine."""
    need("engine=ray", "ray", "ray")
    import ray

    address = os.environ.get("RAY_ADDRESS")
    if not ray.is_initialized():
        ray.init(address=address, num_cpus=None if address else jobs, log_to_driver=False, logging_level="warning")
    done = ray.data.from_items([{"part": part} for part in parts]).map(lambda row: {"failure": work(row["part"])})
    return (row["failure"] for row in done.iter_rows())


def usable_cores() -> int:
    """Returns how many cores this process may use; a scheduler may have given it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


ENGINES = {"local": _local, "ray": _ray}
