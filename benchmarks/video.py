"""Reading clips from video: speed beside a plain loop, training beside a resident batch, memory over an epoch.

    python benchmarks/video.py [loader] [training] [memory]      all three without a name

loader: clips/s of our loader (32 frames of 224 pixels, random crops, batches of 8) over a loop that decodes each whole
clip with PyAV and scales and crops each of the 32 frames by itself, through torchvision's v2, as tensors; with one
thread of torch's or several, whichever is faster. Both take a random frame of each of 32 chunks, in one process, in
turn; ours again on one core, and both again on clips encoded once (data.clip_size).
training: an S3D's clips/s with the loader over the same step on a batch that stays in memory. On a CPU with 16 frames
of 112 pixels, since a step of 32 frames of 224 takes most of a minute there; on a GPU with 32 of 224, and also
MViTv2-S in bf16, compiled, with its share of the measured rate of bf16 matrix products.
memory: resident memory after a third of an epoch and at its end.

The clips are KSL77's where SIGN_RECOG_TEST_DATA has them, else those of data=synthetic.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

GOALS = {"loader": 2.0, "training": 0.9, "memory": 1.05}
FRAMES, SIZE, RESIZE, BATCH, ROUNDS = 32, 224, 256, 8, 5
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve()
READING = [f"modality.num_frames={FRAMES}", f"modality.image_size={SIZE}", f"modality.resize={RESIZE}"]


def main() -> int:
    parts = sys.argv[1:] or list(GOALS)
    if unknown := set(parts) - set(GOALS):
        print(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(GOALS)}.")
        return 1
    os.chdir(ROOT)
    ratios: dict[str, tuple[float, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            for name, ratio in globals()[f"measure_{part}"](Path(folder)).items():
                ratios[name] = (ratio, part)
    for name, (ratio, part) in ratios.items():
        print(f"{name} ratio={ratio:.3f} goal={'at most ' if part == 'memory' else ''}{GOALS[part]}")
    met = [ratio <= GOALS[part] if part == "memory" else ratio >= GOALS[part] for ratio, part in ratios.values()]
    return 0 if all(met) else 1


# --- loader


def measure_loader(folder: Path) -> dict[str, float]:
    """Ours over the plain loop: as it comes, on one core, and with clips encoded once."""
    import torch

    found, threads = {}, torch.get_num_threads()
    for name, settings in {"loader": [], "loader_clip_size": [f"data.clip_size={RESIZE}"]}.items():
        config = configured(folder, ["model=vtn", *READING, *settings])
        ours = loader_of(config)
        plain = PlainLoop(ours)
        times: dict[str, list[float]] = {kind: [] for kind in ("plain", "plain_threads", "ours", "ours_one_core")}
        for round_ in range(ROUNDS):
            ours.batch_sampler.set_epoch(round_)
            for kind, measured in times.items():
                loader = plain if kind.startswith("plain") else ours
                torch.set_num_threads(threads if kind == "plain_threads" else 1)
                with one_core() if kind == "ours_one_core" else nullcontext():
                    start = time.perf_counter()
                    clips = sum(len(batch["gloss"]) for batch in loader)
                    measured.append((time.perf_counter() - start) / clips)
        rates = ", ".join(f"{kind} {1 / statistics.median(t):.1f} clips/s" for kind, t in times.items())
        print(f"{name}: {len(ours.dataset)} clips, {rates}")
        faster = [min(pair) for pair in zip(times["plain"], times["plain_threads"], strict=True)]
        found[name] = statistics.median(a / b for a, b in zip(faster, times["ours"], strict=True))
        alone = statistics.median(a / b for a, b in zip(times["plain"], times["ours_one_core"], strict=True))
        print(f"{name}: on one core {alone:.2f} times the plain loop")
    return found


class PlainLoop:
    """What people write first: decode a clip whole, pick 32 frames, transform each, stack, collate."""

    def __init__(self, ours) -> None:
        self.ours = ours

    def __iter__(self):
        import av
        import numpy as np
        import torch

        from sign_recog.torchvision_operators import declare_missing

        declare_missing()
        from torchvision.transforms import v2

        resize, rng = v2.Resize(RESIZE, antialias=True), np.random.default_rng(0)
        for batch in self.ours.batch_sampler:
            clips, glosses = [], []
            for _, index in batch:
                path, start_s, end_s = self.ours.dataset.sequences.spans[index]
                with av.open(str(path)) as container:
                    images = [
                        frame.to_ndarray(format="rgb24")
                        for frame in container.decode(video=0)
                        if (frame.time or 0) >= start_s and (end_s is None or (frame.time or 0) < end_s)
                    ]
                edges = np.linspace(0, len(images), FRAMES + 1)
                chosen = np.minimum(rng.uniform(edges[:-1], edges[1:]).astype(int), len(images) - 1)
                top, left, frames = None, None, []
                for i in chosen:
                    frame = resize(torch.from_numpy(images[i]).permute(2, 0, 1))
                    if top is None:
                        top = int(rng.integers(frame.shape[1] - SIZE + 1))
                        left = int(rng.integers(frame.shape[2] - SIZE + 1))
                    frames.append(v2.functional.crop(frame, top, left, SIZE, SIZE))
                clips.append(torch.stack(frames))
                glosses.append(self.ours.dataset.labels.glosses[index])
            yield {"sequence": torch.stack(clips), "gloss": torch.tensor(glosses)}


@contextmanager
def one_core():
    """The loader decodes with as many threads as the process may use cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- training


def measure_training(folder: Path) -> dict[str, float]:
    """Clips/s of a training step with the loader over the same step on one resident batch."""
    import torch

    cuda = torch.cuda.is_available()
    small = READING if cuda else ["modality.num_frames=16", "modality.image_size=112", "modality.resize=128"]
    networks = {"training_s3d": ["model=s3d"]}
    if cuda:
        networks["training_mvit_v2_s"] = ["model=mvit_v2_s", "modality.num_frames=16"]
    found = {}
    for name, settings in networks.items():
        config = configured(folder, [*small, *settings])
        found[name] = step_ratio(name, config, half=cuda and "mvit" in name)
    return found


def step_ratio(name: str, config, *, half: bool) -> float:
    import torch

    from sign_recog.stages.build import build

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loader = loader_of(config, num_workers=len(os.sched_getaffinity(0)) if device.type == "cuda" else 0)
    torch.manual_seed(0)
    labels = loader.dataset.labels
    sizes = {"num_glosses": max(labels.glosses) + 1, "num_categories": 0, "num_languages": 0}
    network = build(config.model, input_dim=3, **sizes).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    if half:
        network.compile()

    def step(batch) -> None:
        sequence, mask, gloss = (
            batch[key].to(device, non_blocking=True) for key in ("sequence", "padding_mask", "gloss")
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = torch.nn.functional.cross_entropy(network(sequence, mask)["gloss_logits"], gloss)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    resident = {key: value.to(device) for key, value in next(iter(loader)).items() if hasattr(value, "to")}
    step(resident)
    steps = [len(batch) for batch in loader.batch_sampler if len(batch) == BATCH]
    rates: dict[str, list[float]] = {"resident": [], "loader": []}
    for round_ in range(3):
        loader.batch_sampler.set_epoch(round_)
        for kind, measured in rates.items():
            start, clips = time.perf_counter(), 0
            for batch in (resident for _ in steps) if kind == "resident" else loader:
                if len(batch["gloss"]) == BATCH:
                    step(batch)
                    clips += BATCH
            if device.type == "cuda":
                torch.cuda.synchronize()
            measured.append(clips / (time.perf_counter() - start))
    told = ", ".join(f"{kind} {statistics.median(r):.2f} clips/s" for kind, r in rates.items())
    shape = tuple(resident["sequence"].shape)
    print(f"{name}: batches {shape} on {device.type}, {told}")
    if half:
        share_of_matrix_rate(name, network, resident, statistics.median(rates["resident"]))
    return statistics.median(b / a for a, b in zip(rates["resident"], rates["loader"], strict=True))


def share_of_matrix_rate(name: str, network, batch, clips_per_s: float) -> None:
    """What part of the rate of bf16 matrix products that this machine reaches the training step reaches."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(20):
        a @ a
    torch.cuda.synchronize()
    rate = 20 * 2 * 8192**3 / (time.perf_counter() - start)
    compiled, network._compiled_call_impl = network._compiled_call_impl, None  # counted as they are called
    with FlopCounterMode(display=False) as counter, torch.autocast("cuda", torch.bfloat16):
        network(batch["sequence"], batch["padding_mask"])["gloss_logits"].sum().backward()
    network._compiled_call_impl = compiled
    network.zero_grad()
    used = counter.get_total_flops() / len(batch["gloss"]) * clips_per_s
    print(f"{name}: {used / 1e12:.1f} of {rate / 1e12:.1f} Tflop/s that bf16 matrix products reach: {used / rate:.1%}")


# --- memory


def measure_memory(folder: Path) -> dict[str, float]:
    """Resident memory at an epoch's end over that after its first third, of a process that only reads."""
    configured(folder, ["model=vtn"])  # prepared once, here
    code = f"import sys; sys.path.insert(0, 'benchmarks'); import video; video.read_epoch({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    third, end = map(float, done.stdout.split()[-2:])
    print(f"memory: {third:.0f} MiB after a third of an epoch of 600 clips, {end:.0f} MiB at its end")
    return {"memory": end / third}


def read_epoch(folder: str) -> None:
    """Print the resident memory (MiB) after a third of 600 clips and after all."""
    loader = loader_of(configured(Path(folder), ["model=vtn", *READING]))
    dataset, told = loader.dataset, []
    for batch in range(75):
        dataset.__getitems__([(batch, (batch * BATCH + i) % len(dataset)) for i in range(BATCH)])
        if batch in (24, 74):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            told.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    print(*told)


# --- shared


def configured(folder: Path, overrides: list[str]):
    """A configuration over prepared clips."""
    from hydra import compose, initialize_config_dir

    from sign_recog import cli, config
    from sign_recog.stages import run
    from sign_recog.stages.run_folder import corpus_dir

    labels = DATA / "video_ksl77_koala/labels.csv"
    source = ["data=ksl77", f"data.source={labels.parent}"] if labels.exists() else ["data=synthetic"]
    paths = [f"paths.data_root={folder}/data", f"paths.output_root={folder}/outputs"]
    config.register_schemas()
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        given = [*source, *paths, "modality=rgb", "augment=rgb", "trainer.accelerator=auto", *overrides]
        composed = config.validate(compose("config", [*given, "run=prepare"]))
    if not (corpus_dir(composed) / "manifest.tsv").exists():
        run(composed)
    return composed


def loader_of(config, *, num_workers: int = 0):
    """The training loader, over the clips of all splits."""
    from sign_recog.data.datamodule import build_dataset, build_loader
    from sign_recog.data.vocabulary import Vocabulary
    from sign_recog.stages.build import build, build_reader
    from sign_recog.stages.run_folder import prepared

    corpus, reader = prepared(config), build_reader(config.modality)
    dataset = build_dataset(
        corpus, corpus.clips, Vocabulary.from_clips(corpus.clips), reader, extractor="", train=True,
        augmentations=[build(node) for node in config.augment.values()],
    )  # fmt: skip
    return build_loader(dataset, batch_size=BATCH, seed=1, shuffle=True, bucketing=False, num_workers=num_workers)


if __name__ == "__main__":
    sys.exit(main())
