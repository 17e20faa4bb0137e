"""Samples/s of our loader over a plain one that opens one .npz a sample and zero-pads; no network, no processes.

    python benchmarks/loader.py

Both give batches of 32 clips of the webcam keypoints, in the same order, and are timed in turn. The plain loader's
files hold what ours gives, ready for the network, uncompressed. A second line says what augmentation costs.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

GOAL, ROUNDS, BATCH = 5.0, 7, 32
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve()


def main() -> int:
    if not (DATA / "kp_asl_webcam_multisigner").is_dir():
        print(f"{DATA} holds no kp_asl_webcam_multisigner. Set SIGN_RECOG_TEST_DATA to the folder of real data.")
        return 1
    os.chdir(ROOT)
    os.environ["SIGN_RECOG_TEST_DATA"] = str(DATA)
    with tempfile.TemporaryDirectory() as folder:
        ours, augmented = build_loaders(Path(folder))
        plain = PlainLoader(ours, Path(folder) / "plain")
        for epoch, batch in zip(plain, ours, strict=True):
            assert (epoch["sequence"] == batch["sequence"]).all() and (epoch["gloss"] == batch["gloss"]).all()
        times = {name: [] for name in ("plain", "ours", "augmented")}
        for _ in range(ROUNDS):
            for name, loader in (("plain", plain), ("ours", ours), ("augmented", augmented)):
                start = time.perf_counter()
                clips = sum(len(batch["gloss"]) for batch in loader)
                times[name].append((time.perf_counter() - start) / clips)
    rates = {name: 1 / statistics.median(t) for name, t in times.items()}
    ratio = statistics.median(a / b for a, b in zip(times["plain"], times["ours"], strict=True))
    print(", ".join(f"{name} {rate:,.0f} samples/s" for name, rate in rates.items()))
    print(f"loader ratio={ratio:.2f} goal={GOAL}")
    return 0 if ratio >= GOAL else 1


def build_loaders(folder: Path):
    """Our loaders of webcam's train clips, without and with augmentation."""
    from hydra import compose, initialize_config_dir

    from sign_recog import cli, config
    from sign_recog.data.datamodule import build_dataset, build_loader, with_inputs
    from sign_recog.data.vocabulary import Vocabulary
    from sign_recog.stages import run
    from sign_recog.stages.build import build, build_reader
    from sign_recog.stages.run_folder import extractor_name, prepared

    config.register_schemas()
    overrides = ["+experiment=webcam_keypoints", f"paths.data_root={folder}/data", f"paths.output_root={folder}/out"]
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        stage = config.validate(compose("config", [*overrides, "run=prepare"]))
    run(stage)
    import torch

    torch.set_num_threads(1)
    corpus, reader, extractor = prepared(stage), build_reader(stage.modality), extractor_name(stage)
    clips, _ = with_inputs(corpus, "train", reader, extractor)
    changes = [build(node) for node in stage.augment.values()]
    return [
        build_loader(
            build_dataset(
                corpus, clips, Vocabulary.from_clips(clips), reader, extractor=extractor, train=True, augmentations=a
            ),
            batch_size=BATCH,
            seed=1,
            shuffle=True,
            bucketing=True,
            num_workers=0,
        )
        for a in ([], changes)
    ]


class PlainLoader:
    """What people write first: open a file a sample, pad with zeros, stack."""

    def __init__(self, ours, folder: Path):
        import numpy as np

        folder.mkdir()
        self.batches, self.folder = list(ours.batch_sampler), folder
        dataset = ours.dataset
        for i in range(len(dataset)):
            np.savez(folder / f"{i}.npz", X=dataset.sequences.read(i, None), y=dataset.labels.glosses[i])

    def __iter__(self):
        import numpy as np
        import torch

        for batch in self.batches:
            sequences, glosses = [], []
            for _, index in batch:
                with np.load(self.folder / f"{index}.npz") as file:
                    sequences.append(file["X"])
                    glosses.append(int(file["y"]))
            padded = np.zeros((len(batch), max(map(len, sequences)), sequences[0].shape[1]), np.float32)
            mask = np.ones(padded.shape[:2], bool)
            for row, sequence in enumerate(sequences):
                padded[row, : len(sequence)], mask[row, : len(sequence)] = sequence, False
            yield {
                "sequence": torch.from_numpy(padded),
                "padding_mask": torch.from_numpy(mask),
                "gloss": torch.tensor(glosses),
            }


if __name__ == "__main__":
    sys.exit(main())
