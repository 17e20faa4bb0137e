"""Extraction in shards on a real SLURM."""

import hashlib
from pathlib import Path

from slurm_cluster import SMALL_JOB, Workplace, until

CORPUS = (
    "data=synthetic", "data.corpus.num_glosses=2", "data.corpus.num_signers={train: 3, val: 1, test: 1}",
    "data.corpus.image_size=128",
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
    def command(root: str) -> tuple[str, ...]:
        return (*CORPUS, *SMALL, f"paths.data_root={root}", "name=extraction")

    for root in ("here", "there"):
        workplace.run(*CORPUS, "run=prepare", f"paths.data_root={root}")
    workplace.run(*command("here"))
    sweep = workplace.folder / "outputs/extraction"
    started = workplace.start(*command("there"), *SHARDS)
    records = lambda: list(sweep.glob(".slurm/*/jobs.json"))  # noqa: E731
    there = workplace.folder / "there/synthetic/features/s3d"
    until(lambda: any(there.rglob("*.npz")) or started.poll() is not None, what="a first clip")
    assert started.poll() is None and records(), started.stdout.read()
    array = workplace.ask("squeue", "-h", "-o", "%A").split()[0]
    for line in workplace.ask("squeue", "-h", "-r", "-o", "%i %t").splitlines():
        job, state = line.split()
        if state == "R":
            workplace.ask("scancel", "--signal=KILL", job)
            break
    else:
        raise AssertionError(f"no job of {array} was running")
    output, _ = started.communicate(timeout=200)
    assert started.returncode == 1 and "1 of 3 jobs did not finish" in output
    output = workplace.run(*command("there"), *SHARDS)
    assert features(workplace.folder / "there") == features(workplace.folder / "here")
