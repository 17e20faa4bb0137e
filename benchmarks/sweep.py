"""What a job of a SLURM array costs beside the same command run directly, on the cluster of launchers/slurm/up.sh.

    launchers/slurm/up.sh && python benchmarks/sweep.py

The command, run=prepare of a corpus that is prepared, does next to nothing, so that the overhead is not lost in it. The
array has as many jobs as run at once, and is measured from the command to its end, table included; what SLURM itself
takes is an array of `true` of the same size. In turn, median of several; nothing is divided by the number of jobs.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_S, RUNS, JOBS = 3.0, 3, 2
ROOT = Path(__file__).parents[1]
SMALL = (
    "launcher.cluster=slurm", "launcher.cpus_per_task=1", "launcher.mem_gb=1", "launcher.gpus_per_node=0",
    "launcher.timeout_min=5",
)  # fmt: skip


def seconds(command: list[str], folder: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - start


def main() -> int:
    conf = Path(os.environ.get("TMPDIR", "/tmp")) / "sign-recog-slurm/etc/slurm.conf"
    if "SLURM_CONF" not in os.environ and conf.exists():
        os.environ["SLURM_CONF"] = str(conf)
    if subprocess.run(["sh", "-c", "scontrol ping"], capture_output=True, check=False).returncode:
        print("No SLURM controller answers; launchers/slurm/up.sh starts one.")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = [sys.executable, str(ROOT / "run.py")]
        corpus = ["data.corpus.num_glosses=2", "data.corpus.num_signers={train: 1, val: 1, test: 1}"]
        corpus += ["data.corpus.image_size=128", "run=prepare"]
        seconds([*program, *corpus], folder)  # what it makes is there already when it is measured
        direct, array, bare = [], [], []
        for _ in range(RUNS):
            direct += [seconds([*program, *corpus], folder)]
            bare += [
                seconds(["sbatch", "--wait", f"--array=0-{JOBS - 1}", "-o", "/dev/null", "--wrap", "srun true"], folder)
            ]
            seeds = ",".join(map(str, range(1, JOBS + 1)))
            array += [seconds([*program, *corpus, "--multirun", f"seed={seeds}", *SMALL], folder)]
            for record in (folder / "outputs").rglob(".slurm"):
                record.rename(folder / f"old{time.time_ns()}")
    one, many, slurm = (statistics.median(times) for times in (direct, array, bare))
    overhead = many - slurm - one
    print(
        f"directly {one:.2f} s; array of {JOBS} {many:.2f} s, of which SLURM's own {slurm:.2f} s (array of `true`); "
        f"median of {RUNS}"
    )
    print(f"overhead={overhead:.2f} s a job goal={GOAL_S}")
    return 0 if overhead <= GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
