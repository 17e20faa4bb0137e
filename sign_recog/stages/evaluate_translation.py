"""Score a translator on a split, or on several: its sentences, and whether they are more than a guess.

Of each split ``metrics.json``, ``{split}_results.json``, ``{split}_outputs.tsv``, and the sentences a line each; those
of test lie in the run folder itself, those of other splits in folders named so.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from tqdm import tqdm

from sign_recog.config import Config, identity
from sign_recog.config.translation import TranslationConfig
from sign_recog.data.sentence_clips import Dropped
from sign_recog.data.sentences import SentenceDataset, build_sentence_loader, open_sentences
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.evaluation.translation.collapse import collapse
from sign_recog.evaluation.translation.reduced import find_blacklist
from sign_recog.evaluation.translation.report import pick_examples
from sign_recog.evaluation.translation.scores import score
from sign_recog.evaluation.translation.tables import Outputs, score_groups, write_outputs, write_results
from sign_recog.stages import StageResult
from sign_recog.stages.metrics import unseen_signers
from sign_recog.stages.run_folder import plain, result_dir, stored_extractor
from sign_recog.stages.scored_corpus import (
    corpus_folder,
    is_own,
    place,
    refuse_other_crop,
    refuse_other_extraction,
    refuse_trained_clips,
)
from sign_recog.stages.scoring import ROUNDING, groups_of, say_unknown
from sign_recog.stages.translator import TrainedTranslator, load_translator
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import TRANSLATION, TranslationCheckpoint
from sign_recog.storage.corpus import PreparedCorpus, open_corpus
from sign_recog.training.reproducibility import clips_hash, provenance
from sign_recog.training.translation import token_losses

logger = logging.getLogger(__name__)
NUM_EXAMPLES = 4  # best, median and worst clips each


@dataclass(frozen=True)
class _Scored:
    """What a translator wrote for a split.

    Attributes:
        loss, accuracy: Cross-entropy a token in nats, and share of right tokens, given those before them.
    """

    outputs: Outputs
    lengths: list[int]
    loss: float
    accuracy: float


def evaluate_translation(config: Config, trained: TranslationCheckpoint) -> StageResult:
    """Score ``run.split``, or what ``evaluation.sets`` name.

    Raises:
        CheckpointError: If files were extracted in another way than the training's, or weights do not fit.
        ConfigError: If settings have no effect on a translator, or its network writes no such long sentences.
        DataError: If a set has no clip that can be read, or a clip was trained on.
    """
    if idle := config.evaluation.without_effect():
        raise ConfigError(
            f"{', '.join(idle)}: {trained.path} is a translator, and these are of recognisers. Leave out."
        )
    translator = load_translator(trained, config.trainer)
    translator.check_generation(config.generation)
    corpus = open_corpus(corpus_folder(config, trained))
    extractor = stored_extractor(trained.config)
    refuse_other_extraction(trained, translator.reader.folder(corpus, extractor))
    refuse_other_crop(trained, corpus)
    say_unknown(corpus.clips, config.run.group_by)
    names = config.evaluation.sets_of(config.run.split)
    sets = {name: _open(config, translator, corpus, extractor, name) for name in names}
    for name, (dataset, _) in sets.items():
        refuse_trained_clips(trained, dataset.clips, name)
    folder = result_dir(config, trained.path, None, place(corpus, trained))
    found: dict[str, dict[str, Any]] = {}
    for split, (dataset, dropped) in sets.items():
        scored = _translate(config, translator, dataset, split)
        metrics = _metrics(config, trained, corpus, split, dataset, dropped, scored)
        if split == "val" and is_own(corpus, trained):
            metrics |= _compare_with_training(trained, scored)
        own = folder if split == "test" and is_own(corpus, trained) else folder / split
        write_results(
            own / f"{split}_results.json", metrics["scores"], loss=scored.loss, accuracy=scored.accuracy
        )  # fmt: skip
        atomic.write_json(own / "metrics.json", metrics)
        found[split] = metrics
    judged = found[config.run.split]
    check = judged["collapse"]
    logger.log(logging.INFO if check["real"] else logging.WARNING, "%s", check["sentence"])
    shown = ("bleu1", "bleu2", "bleu3", "bleu4", "reduced_bleu", "chrf", "chrf++", "ter", "rougeL", "loss", "token_acc")
    summary = {
        "checkpoint": f"{trained.path} (epoch {trained.epoch})",
        **{f"{split} clips": f"{len(d)} of {len(d) + len(dropped.clips)}" for split, (d, dropped) in sets.items()},
        **{name: judged["scores"][name] for name in shown if judged["scores"][name] is not None},
        "95 % interval of BLEU-4": "{:.2f} to {:.2f}".format(*check["system"]["bleu4_ci95"]),
        **{f"BLEU-4 on {split}": own["scores"]["bleu4"] for split, own in found.items() if split != config.run.split},
        "more than a guess": {True: "yes", False: "no", None: "not known"}[check["real"]],
        "results": folder,
    }
    return StageResult(objective=judged["scores"]["bleu4"], summary=summary)


def stored_translation(trained: TranslationCheckpoint) -> TranslationConfig:
    """The group ``translation`` of a checkpoint's training."""
    found: Any = OmegaConf.to_object(
        OmegaConf.merge(OmegaConf.structured(TranslationConfig), trained.config["translation"])
    )
    return found


def _open(
    config: Config, translator: TrainedTranslator, corpus: PreparedCorpus, extractor: str, split: str
) -> tuple[SentenceDataset, Dropped]:
    if not corpus.of_split(split):
        there = [name for name in ("train", "val", "test") if corpus.of_split(name)]
        raise DataError(
            f"{corpus.folder / 'manifest.tsv'}: has no clip in {split}, which is to be scored. It has "
            f"{', '.join(there)}: choose among them with run.split and evaluation.sets, or see data.split."
        )
    settings = stored_translation(translator.checkpoint)
    settings.drop_unreadable = config.translation.drop_unreadable
    expected = translator.checkpoint.input_dim
    dataset, dropped = open_sentences(
        corpus, split, translator.reader, translator.tokenizer, settings, extractor=extractor, train=False,
        input_dim=expected,
    )  # fmt: skip
    if expected is not None and dataset.copies[0].input_dim != expected:
        raise CheckpointError(
            f"{translator.checkpoint.path} reads {expected} values a frame, and the files in "
            f"{translator.reader.folder(corpus, extractor)} hold {dataset.copies[0].input_dim}. Extract them as the "
            "training's were."
        )
    if dropped.cut_sources:
        logger.warning("%d sequences of %s are cut to translation.max_source_length.", dropped.cut_sources, split)
    return dataset, dropped


def _translate(config: Config, translator: TrainedTranslator, dataset: SentenceDataset, split: str) -> _Scored:
    loader = build_sentence_loader(
        dataset, batch_size=config.generation.batch_size, max_tokens=None, seed=0, shuffle=False, bucketing=True,
        num_workers=config.trainer.num_workers,
    )  # fmt: skip
    texts: dict[int, str] = {}
    totals = torch.zeros(3, dtype=torch.float64)
    for batch in tqdm(loader, desc=f"translating {split}", unit="batch", mininterval=1.0, leave=False, disable=None):
        labels = batch["labels"].to(translator.device)
        losses = token_losses(translator.logits(batch["sequence"], batch["padding_mask"], labels), labels, 0.0)
        totals += torch.stack([losses.cross_entropy.double(), losses.hits.double(), losses.tokens.double()]).cpu()
        found = translator.translate(batch["sequence"], batch["padding_mask"], config.generation)
        texts |= {index: own[0][0] for index, own in zip(batch["index"], found, strict=True)}
    clips = dataset.clips
    outputs = Outputs(
        dataset.clip_ids,
        [clip.signer for clip in clips],
        [clip.text for clip in clips],
        [texts[i] for i in range(len(clips))],
    )
    loss, hits, count = totals.tolist()
    return _Scored(outputs, dataset.source_lengths.tolist(), loss / count, hits / count)


def _metrics(
    config: Config,
    trained: TranslationCheckpoint,
    corpus: PreparedCorpus,
    split: str,
    dataset: SentenceDataset,
    dropped: Dropped,
    scored: _Scored,
) -> dict[str, Any]:
    """The content of metrics.json; the tables of sentences are written here, since they score each."""
    settings, samples = config.evaluation.sentences, config.run.bootstrap_samples
    learnt = set(trained.train_clips)
    training_texts = [clip.text for clip in corpus.clips if clip.clip_id in learnt] or None
    hypotheses, references = scored.outputs.hypotheses, scored.outputs.references
    scores = score(
        hypotheses,
        references,
        lowercase=settings.lowercase,
        clip_ids=scored.outputs.clip_ids,
        blacklist=_blacklist(settings, training_texts),
        wordnet_dir=None if settings.wordnet_dir is None else Path(settings.wordnet_dir),
        bleurt_dir=None if settings.bleurt_dir is None else Path(settings.bleurt_dir),
    )
    scores |= {"loss": scored.loss, "token_acc": scored.accuracy}
    folder = result_dir(config, trained.path, None, place(corpus, trained))
    own = folder if split == "test" and is_own(corpus, trained) else folder / split
    by_sentence = write_outputs(own, split, scored.outputs, lowercase=settings.lowercase)
    unit = "glosses" if trained.source_tokenizer is not None else "frames"
    return {
        "task": TRANSLATION,
        "split": split,
        "scores": scores,
        "collapse": collapse(
            hypotheses, references, training_texts, num_permutations=settings.num_permutations, samples=samples,
            seed=config.seed, lowercase=settings.lowercase,
        ),
        "groups": score_groups(
            scored.outputs, scored.lengths, samples=samples, seed=config.seed, unit=unit, lowercase=settings.lowercase,
            columns=groups_of(dataset.clips, config.run.group_by),
        ),
        "run": {
            "name": trained.config["name"],
            "seed": trained.config["seed"],
            "settings": identity.settings_id(trained.config),
            "checkpoint": trained.path.name,
            "epoch": trained.epoch,
        },
        "generation": {"num_beams": config.generation.num_beams, "max_length": config.generation.max_length,
                       "length_penalty": config.generation.length_penalty},
        "data": {
            "corpus": corpus.info["name"],
            "manifest": str(corpus.folder / "manifest.tsv"),
            "clips": len(dataset),
            "clips_not_extracted": [clip_id for clip_id, _ in dropped.clips],
            "clips_hash": clips_hash(dataset.clip_ids),
            "references_hash": clips_hash(f"{clip.clip_id}\t{clip.text}" for clip in dataset.clips),
            "train_clips": len(trained.train_clips),
            "train_clips_hash": trained.train_clips_hash,
            "sequences_cut": dropped.cut_sources,
            "coverage": corpus.info.get("coverage"),
            "signers": len({clip.signer for clip in dataset.clips} - {""}),
            "unseen_signers": unseen_signers(trained, corpus, dataset.clips),
            "split_strategy": corpus.info["settings"]["split"]["strategy"],
        },
        "examples": [plain(one) for one in pick_examples(scored.outputs, by_sentence, NUM_EXAMPLES)],
        "provenance": provenance(trained.config["seed"]),
    }  # fmt: skip


def _blacklist(settings: Any, training_texts: list[str] | None) -> Any:
    """The words that reduced BLEU leaves out; None where they would be those of a training text not at hand."""
    if settings.blacklist is None and training_texts is None:
        return None
    return find_blacklist(settings.blacklist, training_texts or [], settings.blacklist_size)


def _compare_with_training(trained: TranslationCheckpoint, scored: _Scored) -> dict[str, Any]:
    """What training measured on val when it wrote the checkpoint, and what is measured now; a warning if they differ.

    The sentences are not compared: training may have searched for them in another way.
    """
    measured = {"val_loss": scored.loss, "val_token_acc": scored.accuracy}
    reported = {name: trained.metrics[name] for name in measured if name in trained.metrics}
    allowed = ROUNDING[trained.config["trainer"]["precision"]]
    difference = max((abs(measured[name] - value) for name, value in reported.items()), default=None)
    agrees = None if difference is None else difference <= allowed
    if agrees is False:
        text = ", ".join(f"{name} {value:.6f} then, {measured[name]:.6f} now" for name, value in reported.items())
        logger.warning(
            "%s: val is scored otherwise than in training (%s). Have the clips, their files or the preprocessing "
            "changed?", trained.path, text,
        )  # fmt: skip
    return {"val_reported": reported, "val_measured": measured, "val_difference": difference, "val_agrees": agrees}
