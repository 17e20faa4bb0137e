"""Translation: training beside batches in memory, the share of padding, generation in batches, T5-base on a GPU.

    python benchmarks/translation.py [training] [padding] [generation]      all three without a name
    python benchmarks/translation.py t5_base --device cuda

training: an epoch of run=translate without validation (Lightning's loop, loader, metrics, checkpoints) over the same
optimiser steps on the same batches, made before and held in memory; in turn, in one process, with one thread. Networks:
transformer_seq2seq and a T5 of a fifteenth of T5-small's weights, over 768 made features a window; and the settings of
+experiment=phoenix14t_gloss2text over PHOENIX14T's glosses.
padding: places of a batch that are padding, on both sides, in token-budget batches; beside it batches of as many pairs
in a random order. PHOENIX14T's glosses and words, and How2Sign's sentences, whose features are taken to have
6.25 windows a second at 14 characters a second, give or take a third.
generation: sentences/s of batches of 32 over one at a time, greedily and with 5 beams, of the networks of training
with random weights, whose sentences are made to end at the lengths of the references.
t5_base: steps/s and tokens/s of T5-base with random weights in bf16, and its share of the measured rate of bf16 matrix
products.

PHOENIX14T and How2Sign are read from SIGN_RECOG_TEST_DATA; without them the parts that need them are left out.
"""

import argparse
import csv
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve()
PHOENIX, HOW2SIGN = DATA / "text_phoenix14t", DATA / "text_how2sign"
TRAINING_GOAL, PADDING_GOAL, GENERATION_GOAL = 0.9, 0.1, 4.0
DIM, CLIPS, BATCH = 768, 480, 32  # made features: values a window, train clips, sentences a batch of generation
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"training": training, "padding": padding, "generation": generation, "t5_base": t5_base}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--device", default="cpu", help="of t5_base: cpu or cuda")
    parser.add_argument("--clips", type=int, default=CLIPS, help="train clips of training")
    parser.add_argument("--epochs", type=int, default=4, help="of training")
    parser.add_argument("--sentences", type=int, default=3 * BATCH, help="of generation")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "benchmarks"))
    chosen = arguments.parts or ["training", "padding", "generation", *(["t5_base"] * (arguments.device != "cpu"))]
    with tempfile.TemporaryDirectory() as folder:
        met = [parts[name](arguments, Path(folder)) for name in chosen]
    return 0 if all(met) else 1


def told(name: str, ratio: float, goal: float, *, at_most: bool = False) -> bool:
    print(f"{name} ratio={ratio:.3f} goal={'at most ' if at_most else ''}{goal}", flush=True)
    return ratio <= goal if at_most else ratio >= goal


# --- training


def training(arguments: argparse.Namespace, folder: Path) -> bool:
    """Our epochs over the same steps on batches in memory."""
    settings = {name: [*MADE, *network] for name, network in NETWORKS.items()}
    if PHOENIX.is_dir():
        settings["gloss2text"] = GLOSSES
    met = []
    for name, overrides in settings.items():
        clips = 2 * arguments.clips if name == "gloss2text" else arguments.clips
        config = configured(folder, overrides, clips, f"trainer.max_epochs={arguments.epochs}")
        met.append(told(f"translation_training_{name}", training_ratio(config, folder, clips), TRAINING_GOAL))
    return all(met)


def training_ratio(config, folder: Path, num_clips: int) -> float:
    """Median over the epochs."""
    import torch
    from training import as_callback

    from sign_recog.stages import translate
    from sign_recog.training.callbacks import TRANSLATION_COLUMNS
    from sign_recog.training.trainer import build_trainer

    torch.set_num_threads(1)
    material = shortened(translate.read_material(config), num_clips)
    module, loaders = translate.assemble(config, material), translate._loaders(config, material)
    with tempfile.TemporaryDirectory(dir=folder) as run_folder:
        budget = translate._budget(config, loaders)
        trainer = build_trainer(config.trainer, Path(run_folder), [], budget=budget, columns=TRANSLATION_COLUMNS)
        beside = as_callback(Resident(loaders["train"], module, config))
        trainer.callbacks = [c for c in trainer.callbacks if getattr(c, "monitor", None) is None]  # nothing to monitor
        trainer.callbacks.insert(0, beside)
        trainer.fit(module, loaders["train"])
    return beside.ratio()


class Resident:
    """An epoch's steps on its batches, held in memory."""

    def __init__(self, loader, module, config):
        import copy

        self.batches, self.num_clips = list(loader), len(loader.dataset)
        self.network = copy.deepcopy(module.network).train()
        self.optimizer = module._build_optimizer(self.network)
        self.clip, self.smoothing = config.trainer.gradient_clip, config.loss.label_smoothing

    def epoch(self) -> None:
        for batch in self.batches:
            self.step(batch)

    def step(self, batch) -> None:
        import torch

        from sign_recog.training.translation import token_losses

        self.optimizer.zero_grad()
        logits = self.network(batch["sequence"], batch["padding_mask"], batch["labels"])
        losses = token_losses(logits, batch["labels"], self.smoothing)
        (losses.objective / losses.tokens).backward()
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()


# --- padding


def padding(arguments: argparse.Namespace, folder: Path) -> bool:
    """The share of padding in token-budget batches, and in batches of one size in a random order."""
    met = []
    if PHOENIX.is_dir():
        glosses, texts = zip(*column(PHOENIX / "phoenix14t.train.tsv", "gloss", "text"), strict=True)
        counts = [len(one.split()) for one in glosses]
        config = configured(folder, GLOSSES, 0)
        words = [len(text.split()) + 1 for text in texts]  # and the end
        limits = {"max_tokens": config.translation.max_tokens, "batch_size": config.trainer.batch_size}
        met.append(padding_of("phoenix14t_glosses", counts, words, limits))
    if HOW2SIGN.is_dir():
        import numpy as np

        texts = [text for (text,) in column(HOW2SIGN / "how2sign.train.tsv", "text")]
        characters, rng = np.array([len(text) for text in texts]), np.random.default_rng(0)
        windows = np.clip(characters / 14 * 6.25 * rng.lognormal(0, 0.35, len(texts)), 5, 1024).astype(int)
        pieces = lengths_in_pieces(texts, 7000, lowercase=True)
        for most in (4000, 16000):
            limits = {"max_tokens": most, "batch_size": 256}
            met.append(padding_of(f"how2sign_{most}", windows, np.minimum(pieces, 128), limits))
    return all(met)


def padding_of(name: str, sources, targets, limits: dict) -> bool:
    """Over an epoch of each of the four ways to cut batches."""
    import numpy as np

    from sign_recog.data.sentence_batches import CUTTINGS, SentenceBatchSampler

    sources, targets = np.asarray(sources), np.asarray(targets)

    def share(epochs: int, **settings) -> float:
        sampler, places = SentenceBatchSampler(sources, targets, seed=1, shuffle=True, **settings), 0
        for epoch in range(epochs):
            sampler.set_epoch(epoch)
            for pairs in sampler.batches():
                rows = [index for _, index in pairs]
                places += len(rows) * int(sources[rows].max() + targets[rows].max())
        return 1 - epochs * int((sources + targets).sum()) / places

    ours = SentenceBatchSampler(sources, targets, seed=1, shuffle=True, bucketing=True, **limits)
    size = round(len(sources) / ours.batches_per_epoch)
    random = share(1, bucketing=False, max_tokens=None, batch_size=size)
    print(
        f"{name}: {len(sources)} pairs in {len(ours)} batches of {limits['max_tokens']} places; in batches of {size} "
        f"random pairs {random:.3f} is padding"
    )
    return told(f"translation_padding_{name}", share(CUTTINGS, bucketing=True, **limits), PADDING_GOAL, at_most=True)


def lengths_in_pieces(texts, size: int, *, lowercase: bool) -> list[int]:
    from sign_recog.text.pieces import SentencePieces

    tokenizer = SentencePieces(size, "unigram", lowercase, False).train(list(texts))
    return [len(one) for one in tokenizer.encode(list(texts))]


def column(path: Path, *names: str) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row[n] for n in names) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


# --- generation


def generation(arguments: argparse.Namespace, folder: Path) -> bool:
    """Sentences/s in batches over one at a time, greedily and with five beams."""
    import numpy as np
    import torch

    from sign_recog.stages import translate

    torch.set_num_threads(1)
    settings, met = {name: [*MADE, *network] for name, network in NETWORKS.items()}, []
    if PHOENIX.is_dir():
        settings["gloss2text"] = GLOSSES
    for name, overrides in settings.items():
        config = configured(folder, overrides, arguments.clips)
        material = translate.read_material(config)
        train = material.sets["train"]
        rows = np.argsort(train.source_lengths[: arguments.sentences], kind="stable")  # as evaluation sorts them
        sources = [torch.from_numpy(train.copies[0].read(int(row), None)) for row in rows]
        lengths = torch.from_numpy(train.target_lengths[rows])
        network = Ending(translate.assemble(config, material).network.eval())
        for beams in (1, 5):
            # One at a time takes long, so only some sentences are written so.
            few = range(0, len(sources), max(1, len(sources) // BATCH))
            rates: dict[int, list[float]] = {1: [], BATCH: []}
            for _ in range(3):
                for size, rate in rates.items():
                    rows = few if size == 1 else range(len(sources))
                    start = time.perf_counter()
                    network.write([sources[row] for row in rows], lengths[list(rows)], size, beams)
                    rate.append(len(rows) / (time.perf_counter() - start))
            one, many = (statistics.median(rate) for rate in rates.values())
            print(f"{name}, {beams} beams: {many:.1f} sentences/s in batches of {BATCH}, {one:.2f} one at a time")
            ratio = statistics.median(b / a for a, b in zip(*rates.values(), strict=True))
            met.append(told(f"translation_generation_{name}_beams{beams}", ratio, GENERATION_GOAL))
    return all(met)


class Ending:
    """A network with random weights whose sentences end where they are told to."""

    def __init__(self, network):
        self.network = network

    def write(self, sources: list, lengths, size: int, num_beams: int) -> None:
        """Sentences of ``lengths`` tokens for ``sources``, ``size`` at once."""
        import torch

        for first in range(0, len(sources), size):
            some, wanted = sources[first : first + size], lengths[first : first + size]
            sequence = torch.nn.utils.rnn.pad_sequence(some, batch_first=True)
            mask = torch.arange(sequence.shape[1]) >= torch.tensor([len(one) for one in some])[:, None]
            settings = {"num_beams": num_beams, "max_length": int(lengths.max()) + 1, "length_penalty": 1.0}
            with EndsAt(self.network, wanted, num_beams):
                found = self.network.generate(sequence, mask, **settings)
            written = [len(own[0].tokens) + 1 for own in found]
            assert written == wanted.tolist(), "a sentence did not end where it was told to"


class EndsAt:
    """Within it, the end of a sentence is certain at its length, and impossible before."""

    def __init__(self, network, lengths, num_beams: int):
        self.network, self.lengths, self.num_beams = network, lengths, num_beams

    def __enter__(self) -> None:
        if hasattr(self.network, "backbone"):  # of transformers, which keeps every row to the last step
            plain = self.network.backbone.generate
            self.network.backbone.generate = lambda **settings: plain(logits_processor=[self.processed], **settings)
            return
        from sign_recog.models.translation import transformer

        ending, self.steps = self, transformer._Steps

        class Steps(transformer._Steps):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                self.ends = ending.lengths

            def step(self, tokens):
                return ending.forced(super().step(tokens), self.ends, self._length)

            def keep(self, rows, sentences):
                super().keep(rows, sentences)
                self.ends = self.ends[sentences]

        transformer._Steps = Steps

    def __exit__(self, *_) -> None:
        if hasattr(self.network, "backbone"):
            del self.network.backbone.generate
            return
        from sign_recog.models.translation import transformer

        transformer._Steps = self.steps

    def processed(self, ids, scores):
        """For transformers: ``ids`` hold the start, too."""
        return self.forced(scores, self.lengths, ids.shape[1])

    def forced(self, scores, lengths, length: int):
        at_end = (lengths == length).repeat_interleave(self.num_beams)
        scores[:, self.network.eos_id] = scores.new_tensor(-1e9).where(~at_end, scores.new_tensor(1e4))
        return scores


# --- T5-base


def t5_base(arguments: argparse.Namespace, folder: Path) -> bool:
    """Steps/s and tokens/s in bf16, and the share of the rate of matrix products; a goal has not been set."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from sign_recog.stages.build import build
    from sign_recog.training.translation import token_losses

    cuda = arguments.device == "cuda"
    if cuda and not torch.cuda.is_available():
        print("t5_base: this machine has no GPU that torch can use.")
        return False
    vocab_size, batch, source, target, steps = (32100, 64, 128, 64, 30) if cuda else (1000, 2, 16, 8, 2)
    config = configured(folder, [*MADE, "model=t5_base"], 60)
    special = {"pad_id": 0, "bos_id": 0, "eos_id": 1}
    network = build(config.model, input_dim=DIM, num_source_tokens=None, vocab_size=vocab_size, **special)
    network = network.to(arguments.device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=cuda)
    sequence = torch.randn(batch, source, DIM, device=arguments.device)
    mask = torch.zeros(batch, source, dtype=torch.bool, device=arguments.device)
    labels = torch.randint(2, vocab_size, (batch, target), device=arguments.device)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(arguments.device, torch.bfloat16):
            losses = token_losses(network(sequence, mask, labels), labels, 0.2)
        (losses.objective / losses.tokens).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step()
    seconds, side = seconds_of(step, steps, cuda), 8192 if cuda else 512
    matrix = torch.randn(side, side, device=arguments.device, dtype=torch.bfloat16)
    rate = 2 * side**3 / seconds_of(lambda: matrix @ matrix, steps, cuda)
    used = counter.get_total_flops() / seconds
    print(
        f"translation_t5_base: {1 / seconds:.2f} steps/s of {batch} pairs ({source} windows, {target} tokens each), "
        f"{batch * (source + target) / seconds:.0f} tokens/s, of both sides"
    )
    print(f"{used / 1e12:.1f} of {rate / 1e12:.1f} Tflop/s that bf16 matrix products reach: {used / rate:.1%}")
    return True


def seconds_of(work, times: int, cuda: bool) -> float:
    """Of one call, after three that do not count."""
    import torch

    for number in range(times + 3):
        if number == 3:
            if cuda:
                torch.cuda.synchronize()
            start = time.perf_counter()
        work()
    if cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / times


# --- shared


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


def shortened(material, num_clips: int):
    """The same with the first ``num_clips`` of train."""
    train = material.sets["train"]
    train.clips, train.labels = train.clips[:num_clips], train.labels[:num_clips]
    train.copies = [FirstOf(one, num_clips) for one in train.copies]
    return material


class FirstOf:
    """The first sequences of several."""

    def __init__(self, sequences, count: int):
        self._sequences, self.lengths = sequences, sequences.lengths[:count]

    def __getattr__(self, name: str):
        return getattr(self._sequences, name)


if __name__ == "__main__":
    sys.exit(main())
