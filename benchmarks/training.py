"""Samples/s of a real training epoch, over the same step repeated on one batch held in memory.

    python benchmarks/training.py

The epoch is what run=classify does: Lightning's loop, loader, metrics, checkpoints, metrics.csv; only
validation is left out, which the other side does not do. Both sides take the same number of steps in
turn, in one process, with one thread; the ratio is the median over the epochs. Data: the webcam keypoints.
"""

import copy
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

GOAL, EPOCHS, CLIPS = 0.9, 6, 512
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve()


def main() -> int:
    if not (DATA / "kp_asl_webcam_multisigner").is_dir():
        print(f"{DATA} holds no kp_asl_webcam_multisigner. Set SIGN_RECOG_TEST_DATA to the folder of real data.")
        return 1
    os.chdir(ROOT)
    os.environ["SIGN_RECOG_TEST_DATA"] = str(DATA)
    with tempfile.TemporaryDirectory() as folder:
        ratios, rates = measure(Path(folder))
    ratio = statistics.median(ratios)
    print(
        f"epochs {', '.join(f'{r:.3f}' for r in ratios)}; median {statistics.median(rates):.0f} samples/s in training"
    )
    print(f"training ratio={ratio:.3f} goal={GOAL}")
    return 0 if ratio >= GOAL else 1


def measure(folder: Path) -> tuple[list[float], list[float]]:
    """Ratios and training rates (samples/s), one an epoch."""
    from hydra import compose, initialize_config_dir

    from sign_recog import cli, config
    from sign_recog.data.datamodule import with_keypoints
    from sign_recog.data.vocabulary import Vocabulary
    from sign_recog.stages import classify, run
    from sign_recog.stages.run_folder import extractor_name, prepared, run_dir
    from sign_recog.training.trainer import build_trainer

    config.register_schemas()
    overrides = ["+experiment=webcam_keypoints", "model=transformer", "trainer.num_threads=1"]
    overrides += [
        f"paths.data_root={folder}/data",
        f"paths.output_root={folder}/outputs",
        f"trainer.max_epochs={EPOCHS}",
    ]
    overrides += ["trainer.early_stopping.enabled=false", "trainer.monitor=val_loss"]
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        stage = config.validate(compose("config", [*overrides, "run=prepare"]))
        training = config.validate(compose("config", [*overrides, "run=classify"]))
    run(stage)
    import torch

    torch.set_num_threads(1)
    corpus = prepared(training)
    clips = with_keypoints(corpus, "train", extractor_name(training))[0][:CLIPS]
    module, loaders = classify.assemble(training, corpus, {"train": clips}, Vocabulary.from_clips(clips))
    trainer = build_trainer(training.trainer, run_dir(training), [])
    beside = Resident(loaders["train"])
    trainer.callbacks = [c for c in trainer.callbacks if getattr(c, "monitor", None) is None]  # nothing is validated
    trainer.callbacks.insert(0, beside)
    trainer.fit(module, loaders["train"])
    return beside.ratios()


def Resident(loader):
    """A callback that times each epoch, then the same number of steps on one batch."""
    import pytorch_lightning as pl
    import torch

    class _Resident(pl.Callback):
        def __init__(self):
            self.batch = next(iter(loader))
            self.epochs, self.steps, self.start = [], [], None

        def on_train_start(self, trainer, module):
            self.network = copy.deepcopy(module.network)
            self.loss = module.loss
            self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)

        def on_train_epoch_start(self, trainer, module):
            now = time.perf_counter()
            if self.start is not None:
                self.epochs.append(now - self.start)  # from one epoch's start to the next: all that an epoch does
            for _ in range(trainer.num_training_batches):
                self.step(trainer.gradient_clip_val)
            self.steps.append(time.perf_counter() - now)
            self.start = time.perf_counter()

        def on_train_end(self, trainer, module):
            self.epochs.append(time.perf_counter() - self.start)

        def step(self, gradient_clip):
            self.optimizer.zero_grad()
            loss = self.loss(self.network(self.batch["sequence"], self.batch["padding_mask"]), self.batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip)
            self.optimizer.step()

        def ratios(self):
            num_clips = len(loader.dataset)
            resident_clips = len(loader) * len(self.batch["gloss"])
            rates = [num_clips / s for s in self.epochs]
            beside = [resident_clips / s for s in self.steps]
            return [a / b for a, b in zip(rates, beside, strict=True)], rates

    return _Resident()


if __name__ == "__main__":
    sys.exit(main())
