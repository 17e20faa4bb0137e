"""Settings and corpora of the translation benchmarks, and how a ratio is told."""

import csv
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve()
PHOENIX, HOW2SIGN = DATA / "text_phoenix14t", DATA / "text_how2sign"
DIM = 768  # made features: values a window
MADE = ["data=manifest", "data.name=made", "modality=features", "augment=none", "extractor=sign_hiera"]
MADE += ["tokenizer=sentencepiece", "tokenizer.size=1000", "trainer=translation", "translation.max_tokens=2000"]
MADE += ["optim.lr=1e-4"]
SMALL_T5 = ["model=t5_small", "model.architecture.d_model=256", "model.architecture.d_kv=32"]
SMALL_T5 += ["model.architecture.d_ff=512", "model.architecture.num_layers=3"]
SMALL_T5 += ["model.architecture.num_decoder_layers=3"]
NETWORKS = {"transformer_seq2seq": ["model=transformer_seq2seq"], "small_t5": SMALL_T5}
# In fp32, as the steps beside; token-budget batches.
GLOSSES = [
    "+experiment=phoenix14t_gloss2text",
    f"data.source={PHOENIX}",
    "data.name=phoenix",
    "trainer.precision=32-true",
]
GLOSSES += ["trainer.batch_size=256", "translation.max_tokens=4000"]


def told(name: str, ratio: float, goal: float, *, at_most: bool = False) -> bool:
    print(f"{name} ratio={ratio:.3f} goal={'at most ' if at_most else ''}{goal}", flush=True)
    return ratio <= goal if at_most else ratio >= goal


def networks() -> dict[str, list[str]]:
    """Settings by name; PHOENIX14T's where it is."""
    settings = {name: [*MADE, *network] for name, network in NETWORKS.items()}
    if PHOENIX.is_dir():
        settings["gloss2text"] = GLOSSES
    return settings


def configured(folder: Path, overrides: list[str], num_clips: int, *more: str):
    """The settings of a training; its corpus is prepared where it is not yet, ``num_clips`` of made ones, 0 = not."""
    from hydra import compose, initialize_config_dir

    from sign_recog import cli, config
    from sign_recog.stages import run
    from sign_recog.stages.run_folder import corpus_dir

    config.register_schemas()
    overrides = [*overrides, f"paths.data_root={folder}/data", f"paths.output_root={folder}/outputs"]
    overrides += ["trainer.early_stopping.enabled=false", "trainer.num_threads=1", "trainer.accelerator=cpu"]
    overrides += ["scheduler.warmup_epochs=1", *more]
    made = "data.name=made" in overrides
    if made:
        overrides.append(f"data.source={folder}/made.tsv")
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        prepare = config.validate(compose("config", [*overrides, "run=prepare"]))
        found = config.validate(compose("config", [*overrides, "run=translate"]))
    if num_clips and not corpus_dir(found).exists():
        if made:
            make(folder, num_clips)
        run(prepare)
    return found


def make(folder: Path, num_clips: int) -> None:
    """A table of sentences of made words, and random features for each, about three windows a word."""
    import numpy as np

    from sign_recog.storage.features import FeatureSequence, write_features

    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghijklmnoprstu"), int(size))) for size in rng.integers(2, 9, 400)]
    rows = ["clip_id\tsplit\ttext"]
    for number in range(num_clips + 8):
        split, count = "train" if number < num_clips else "val", max(2, int(rng.poisson(14)))
        rows.append(f"{split}{number}\t{split}\t" + " ".join(rng.choice(words, count)))
        features = rng.normal(size=(int(3 * count * rng.lognormal(0, 0.3)) + 2, DIM)).astype(np.float32)
        path = folder / f"data/made/features/sign_hiera/{split}{number}.npz"
        write_features(path, FeatureSequence(features, 160 * np.arange(len(features)), {"clip_id": f"{split}{number}"}))
    (folder / "made.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def column(path: Path, *names: str) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row[n] for n in names) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
