"""How long `python run.py --help` takes, over importing the libraries that training needs.

    python benchmarks/startup.py

Whole processes, in turn, median of several. The comparison is `import torch, pytorch_lightning`,
behind the declaration that Lightning needs beside a CPU build of torch (sign_recog/torchvision_operators.py).
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

GOAL, RUNS = 0.5, 5
ROOT = Path(__file__).parents[1]
HELP = [sys.executable, "run.py", "--help"]
LIBRARIES = [sys.executable, "-c", "import torch, sign_recog.training, pytorch_lightning"]


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    for command in (HELP, LIBRARIES):
        seconds(command)  # files into memory
    times = [(seconds(HELP), seconds(LIBRARIES)) for _ in range(RUNS)]
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"run.py --help {ours:.2f} s, import torch and pytorch_lightning {theirs:.2f} s, median of {RUNS}")
    ratio = ours / theirs
    print(f"startup ratio={ratio:.3f} goal={GOAL}")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
