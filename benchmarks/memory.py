"""Peak memory of a training process with 1, 4 and 16 times as many clips.

    python benchmarks/memory.py

Each size is a `run.py run=classify` of its own, two epochs of a GRU on copies of 400 clips of the webcam keypoints;
the peak is what the operating system counted for the process, files held in memory included.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GOAL, CLIPS, SIZES = 1.10, 400, (1, 4, 16)
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve()
SETTINGS = [
    "data=holistic_arrays", "data.name=webcam", f"data.source={DATA}/kp_asl_webcam_multisigner",
    "data.exclude_glosses=[goodbye]", "model=gru", "trainer.max_epochs=2", "trainer.num_threads=1",
    "trainer.accelerator=cpu",
]  # fmt: skip


def main() -> int:
    if not (DATA / "kp_asl_webcam_multisigner").is_dir():
        print(f"{DATA} holds no kp_asl_webcam_multisigner. Set SIGN_RECOG_TEST_DATA to the folder of real data.")
        return 1
    os.environ["SIGN_RECOG_TEST_DATA"] = str(DATA)
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        run(folder, "run=prepare")
        for size in SIZES:
            repeat(Path(folder), size)
            run(folder, "run=classify")  # packs the keypoints; the next one only trains
            peaks.append(run(folder, "run=classify", "seed=2"))
            print(f"{size * CLIPS} train clips: {peaks[-1]:.0f} MiB")
    ratio = max(peaks) / peaks[0]
    print(f"memory ratio={ratio:.3f} goal={GOAL}")
    return 0 if ratio <= GOAL else 1


def run(folder: str, *arguments: str) -> float:
    """Run a command to its end; return its peak memory in MiB."""
    paths = [f"paths.data_root={folder}/data", f"paths.output_root={folder}/outputs"]
    process = subprocess.Popen([sys.executable, "run.py", *SETTINGS, *paths, *arguments], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"run.py {' '.join(arguments)} failed.")
    return usage.ru_maxrss / 1024


def repeat(folder: Path, size: int) -> None:
    """Let the prepared corpus have ``size`` copies of CLIPS train clips; the keypoint files of copies are links."""
    from sign_recog.storage.manifest import read_manifest, write_manifest

    manifest = next((folder / "data/webcam/manifests").glob("*/manifest.tsv"))
    original = manifest.with_name("original.tsv")
    if not original.exists():
        original.write_bytes(manifest.read_bytes())
    keypoints = folder / "data/webcam/keypoints/given"
    clips = read_manifest(original)
    train = [clip for clip in clips if clip.split == "train"]
    train = train[:: len(train) // CLIPS][:CLIPS]
    chosen = [clip for clip in clips if clip.split != "train"]
    for number in range(size):
        for clip in train:
            copy = dataclasses.replace(clip, clip_id=f"copy{number}/{clip.clip_id}")
            target = keypoints / f"{copy.clip_id}.npz"
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                os.link(keypoints / f"{clip.clip_id}.npz", target)
            chosen.append(copy)
    write_manifest(manifest, chosen)
    shutil.rmtree(folder / "outputs", ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
