"""Extraction in shards on a real SLURM."""

import hashlib
from pathlib import Path

from slurm_cluster import SMALL_JOB, Workplace, until

DRAWN = (
    "data=synthetic", "data.corpus.num_glosses=2", "data.corpus.num_signers={train: 3, val: 1, test: 1}",
    "data.corpus.image_size=128", "name=extraction",
)  # fmt: skip
SMALL = ("extractor=s3d", "extractor.num_frames=8", "extractor.stride=4", "extractor.image_size=64",
         "extractor.resize=64", "run=extract_features", "run.num_workers=1")  # fmt: skip
SHARDS = ("--multirun", "run.num_shards=3", "run.shard=range(3)", *SMALL_JOB)


def features(root: Path) -> dict[str, str]:
    """Name -> hash of all that an extraction has left for its readers."""
    folder = root / "synthetic/features/s3d"
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".progress" not in path.parts
    }


def test_a_worker_killed_in_the_middle_costs_nothing_but_its_time(workplace: Workplace):
    place = Workplace(workplace.folder, corpus=DRAWN)
    here, there = ((*SMALL, f"paths.data_root={root}") for root in ("here", "there"))
    for root in ("here", "there"):
        place.run("run=prepare", f"paths.data_root={root}")
    place.run(*here)
    started = place.start(*there, *SHARDS)
    try:
        until(lambda: killed_job(place) or started.poll() is not None, what="a job at work that can be killed")
        output, _ = started.communicate(timeout=600)
    finally:
        started.kill()
    assert started.returncode == 1 and "1 of 3 jobs did not finish" in output, output
    place.run(*there, *SHARDS)
    assert features(place.folder / "there") == features(place.folder / "here")


def killed_job(place: Workplace) -> bool:
    """Kill a job that has claimed a clip; False = there is none yet."""
    folder = place.folder / "there/synthetic/features/s3d/.progress"
    if not any(folder.glob("claims/*")):
        return False
    running = place.jobs("-t", "R")
    if running:
        place.ask("scancel", "--signal=KILL", running[0])
    return bool(running)
