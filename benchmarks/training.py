"""Samples/s of real training epochs, against the same work without the framework.

    python benchmarks/training.py

An epoch is what run=classify does: Lightning's loop, loader, augmentation, metrics, checkpoints, metrics.csv; only
validation is left out, which the other side does not do. All sides take the same number of steps in turn, in one
process, with one thread; a ratio is the median over the epochs. Data: the webcam keypoints; for the GRUs random
features of InceptionV3's size in their place; for vtn the KSL clips.

1. Every network: an epoch over the same steps repeated on one batch held in memory, of the epoch's median length
   (goal: 0.9).
2. FSLR's Transformer: an epoch over a plain loop of the same network, which opens one .npz a sample, zero-pads, and
   takes batches in random order (goal: 1.0), with clips of one length and with lengths from 15 to 90 frames.
"""

import copy
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

GOAL, PLAIN_GOAL = 0.9, 1.0
FEW = {"num_clips": 512, "epochs": 3}  # for networks that take long
KEYPOINT_NETWORKS = {"conv_transformer": {}, "transformer": FEW, "poseformer": FEW, "ptn": FEW}
FEATURE_NETWORKS = ("gru", "gru_large")
FEATURES = ["modality=features", "extractor=inception_v3"]
VTN = ["modality=rgb", "augment=none", "model=vtn"]
VTN += ["modality.image_size=112", "modality.num_frames=8", "trainer.batch_size=8"]
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve()


def main() -> int:
    if not (DATA / "kp_asl_webcam_multisigner").is_dir():
        print(f"{DATA} holds no kp_asl_webcam_multisigner. Set SIGN_RECOG_TEST_DATA to the folder of real data.")
        return 1
    os.chdir(ROOT)
    os.environ["SIGN_RECOG_TEST_DATA"] = str(DATA)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        source = f"data.source={DATA}/kp_asl_webcam_multisigner"
        webcam = ["data=holistic_arrays", "data.name=webcam", source, "data.exclude_glosses=[goodbye]"]
        ksl77 = ["+experiment=ksl77_keypoints", *VTN]
        for model, size in KEYPOINT_NETWORKS.items():
            results[model] = (measure(folder, [*webcam, f"model={model}"], Resident, **size), GOAL)
        make_features(folder)
        for model in FEATURE_NETWORKS:
            results[model] = (measure(folder, [*webcam, *FEATURES, f"model={model}"], Resident), GOAL)
        results["vtn"] = (measure(folder, ksl77, Resident, num_clips=24, epochs=2), GOAL)
        fslr = [*webcam, "model=transformer", "augment=none"]
        results["plain_loop_one_length"] = (measure(folder, fslr, Plain, **FEW), PLAIN_GOAL)
        vary_lengths(folder)
        results["plain_loop_many_lengths"] = (measure(folder, fslr, Plain, **FEW), PLAIN_GOAL)
    for name, (ratio, goal) in results.items():
        print(f"training_{name} ratio={ratio:.3f} goal={goal}")
    return 0 if all(ratio >= goal for ratio, goal in results.values()) else 1


def measure(folder: str, overrides: list[str], beside_class: type, *, num_clips: int = 1442, epochs: int = 4) -> float:
    """Median over the epochs of our samples/s over the other side's."""
    from hydra import compose, initialize_config_dir

    from sign_recog import cli, config
    from sign_recog.data.datamodule import with_inputs
    from sign_recog.data.vocabulary import Vocabulary
    from sign_recog.stages import classify, run
    from sign_recog.stages.build import build_reader
    from sign_recog.stages.run_folder import corpus_dir, extractor_name, prepared
    from sign_recog.training.budget import Budget
    from sign_recog.training.trainer import build_trainer

    config.register_schemas()
    overrides = [*overrides, f"paths.data_root={folder}/data", f"paths.output_root={folder}/outputs"]
    overrides += [f"trainer.max_epochs={epochs}", "trainer.early_stopping.enabled=false"]
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        stage = config.validate(compose("config", [*overrides, "run=prepare"]))
        training = config.validate(compose("config", [*overrides, "run=classify"]))
    if not corpus_dir(stage).exists():  # a second time would undo vary_lengths
        run(stage)
    import torch

    torch.set_num_threads(1)
    corpus, reader = prepared(training), build_reader(training.modality)
    clips = with_inputs(corpus, "train", reader, extractor_name(training))[0][:num_clips]
    module, loaders = classify.assemble(training, corpus, {"train": clips}, Vocabulary.from_clips(clips))
    with tempfile.TemporaryDirectory() as run_folder:
        trainer = build_trainer(training.trainer, Path(run_folder), [], budget=Budget.of(training.trainer, len(clips)))
        beside = as_callback(beside_class(loaders["train"], module, training, Path(run_folder)))
        trainer.callbacks = [c for c in trainer.callbacks if getattr(c, "monitor", None) is None]  # nothing to monitor
        trainer.callbacks.insert(0, beside)
        trainer.fit(module, loaders["train"])
    return beside.ratio()


class Resident:
    """The same steps, as many as an epoch has, on one batch held in memory."""

    def __init__(self, loader, module, config, folder: Path):
        # Batches differ in length where clips are resampled: the one of median length stands for the epoch.
        batches = sorted(loader, key=lambda batch: batch["sequence"].shape[1])
        self.batch, self.num_steps = batches[len(batches) // 2], len(loader)
        self.num_clips = self.num_steps * len(self.batch["gloss"])
        self.network, self.loss = copy.deepcopy(module.network).train(), module.loss
        self.optimizer = module._build_optimizer(self.network)
        self.clip = config.trainer.gradient_clip

    def epoch(self) -> None:
        for _ in range(self.num_steps):
            self.step(self.batch)

    def step(self, batch) -> None:
        import torch

        self.optimizer.zero_grad()
        logits = self.network(batch["sequence"], batch["padding_mask"])
        self.loss.total(self.loss(logits, batch)).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()


class Plain(Resident):
    """What people write first: a file a sample, batches in random order, zeros up to the longest, torch's AdamW."""

    def __init__(self, loader, module, config, folder: Path):
        import numpy as np
        import torch

        super().__init__(loader, module, config, folder)
        dataset = loader.dataset
        self.folder, self.num_clips, self.batch_size = folder / "plain", len(dataset), config.trainer.batch_size
        self.rng = np.random.default_rng(0)
        self.folder.mkdir()
        for i in range(len(dataset)):
            np.savez(self.folder / f"{i}.npz", X=dataset.sequences.read(i, None), y=dataset.labels.glosses[i])
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config.optim.lr)

    def epoch(self) -> None:
        order = self.rng.permutation(self.num_clips)
        for start in range(0, self.num_clips, self.batch_size):
            self.step(self.load(order[start : start + self.batch_size]))

    def load(self, indices):
        import numpy as np
        import torch

        sequences, glosses = [], []
        for index in indices:
            with np.load(self.folder / f"{index}.npz") as file:
                sequences.append(torch.from_numpy(file["X"]))
                glosses.append(int(file["y"]))
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        mask = torch.arange(padded.shape[1]) >= lengths[:, None]
        return {"sequence": padded, "padding_mask": mask, "gloss": torch.tensor(glosses)}


def as_callback(beside, num_clips: int | None = None):
    """A Lightning callback that times each epoch, and after it an epoch of the other side.

    Args:
        num_clips: Of our epochs; None = all.
    """
    import pytorch_lightning as pl

    class _Beside(pl.Callback):
        ours, others, start = (), (), None

        def on_train_epoch_start(self, trainer, module):
            self.end_epoch(num_clips or len(trainer.train_dataloader.dataset))
            before = time.perf_counter()
            beside.epoch()
            self.others = (*self.others, beside.num_clips / (time.perf_counter() - before))
            self.start = time.perf_counter()

        def on_train_end(self, trainer, module):
            self.end_epoch(num_clips or len(trainer.train_dataloader.dataset))

        def end_epoch(self, clips):
            if self.start is not None:  # from one epoch's start to the next: all that an epoch does
                self.ours = (*self.ours, clips / (time.perf_counter() - self.start))

        def ratio(self):
            ratios = [a / b for a, b in zip(self.ours, self.others, strict=True)]
            print(
                f"epochs {', '.join(f'{r:.3f}' for r in ratios)}; ours {statistics.median(self.ours):.0f}, "
                f"beside {statistics.median(self.others):.0f} samples/s"
            )
            return statistics.median(ratios)

    return _Beside()


def make_features(folder: str) -> None:
    """Write 2048 random values a frame for every webcam clip, as many as InceptionV3 gives."""
    import numpy as np

    from sign_recog.storage.features import FeatureSequence, write_features
    from sign_recog.storage.sequences import read_keypoints

    rng, root = np.random.default_rng(0), Path(folder) / "data/webcam"
    for path in sorted((root / "keypoints/given").rglob("*.npz")):
        times = read_keypoints(path).timestamps_ms
        features = rng.random((len(times), 2048), dtype=np.float32).astype(np.float16)
        target = root / "features/inception_v3" / path.relative_to(root / "keypoints/given")
        write_features(target, FeatureSequence(features, times, {"clip_id": path.stem}))


def vary_lengths(folder: str) -> None:
    """Give the webcam clips lengths from 15 to 90 frames, by playing them slower or faster."""
    import numpy as np

    from sign_recog.storage.sequences import KeypointSequence, read_keypoints, write_keypoints

    rng = np.random.default_rng(0)
    for path in sorted((Path(folder) / "data/webcam/keypoints/given").rglob("*.npz")):
        old = read_keypoints(path)
        frames = np.linspace(0, len(old.keypoints) - 1, int(rng.integers(15, 91))).round().astype(int)
        played = KeypointSequence(
            old.keypoints[frames], old.confidence[frames], 33 * np.arange(len(frames)), old.layout, old.meta
        )
        write_keypoints(path, played)


if __name__ == "__main__":
    sys.exit(main())
