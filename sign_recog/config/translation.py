"""Settings of the groups ``translation`` (a training's) and ``generation`` (of a finished network's sentences)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from sign_recog.config.targets import parameters
from sign_recog.config.trainer import MONITORED, RECOGNITION_METRICS, TRANSLATION_METRICS

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class ValidationConfig:
    """The sentences that a training writes at every evaluation, for ``val_bleu4`` and its like."""

    num_beams: int = MISSING  # 1 = greedy
    max_length: int | None = MISSING  # tokens, the end among them; null = translation.max_target_length
    length_penalty: float = MISSING
    subset: int | None = MISSING  # so many clips of val, drawn once; null = all


@dataclass
class TranslationConfig:
    """What a training reads of clips and sentences, in which batches, and how it is judged."""

    max_tokens: int | None = MISSING  # of a batch: frames (or glosses) and tokens, padding included; null = no limit
    min_source_length: int = MISSING  # shorter train clips are left out
    max_source_length: int | None = MISSING  # what is longer is cut; null = never
    max_target_length: int = MISSING  # tokens, the end among them; train sentences that are longer are cut
    drop_unreadable: bool = MISSING  # leave out, and list, clips whose file is missing or cannot be read
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def problems(self) -> list[str]:
        found = []
        if self.min_source_length < 1:
            found.append(f"translation.min_source_length={self.min_source_length} must be at least 1.")
        if self.max_source_length is not None and self.max_source_length < self.min_source_length:
            found.append(
                f"translation.max_source_length={self.max_source_length} is below "
                f"translation.min_source_length={self.min_source_length}. Raise it, or use null for no limit."
            )
        if self.max_target_length < 2:
            found.append(
                f"translation.max_target_length={self.max_target_length} must be at least 2, an end and a token."
            )
        if self.max_tokens is not None and self.max_tokens < 2:
            found.append(f"translation.max_tokens={self.max_tokens} must be at least 2, or null for no limit.")
        own = self.validation
        if own.subset is not None and own.subset < 1:
            found.append(f"translation.validation.subset={own.subset} must be at least 1, or null for all of val.")
        return found + _search_problems("translation.validation", own.num_beams, own.max_length)


@dataclass
class GenerationConfig:
    """How ``run=evaluate`` and ``run=predict`` search for sentences; no part of a training's settings."""

    num_beams: int = MISSING
    max_length: int = MISSING  # tokens, the end among them
    length_penalty: float = MISSING  # above 0 favours long sentences
    num_return: int = MISSING  # sentences a clip that run=predict writes, best first
    batch_size: int = MISSING  # clips that are searched for at once

    def problems(self) -> list[str]:
        found = _search_problems("generation", self.num_beams, self.max_length)
        if self.batch_size < 1:
            found.append(f"generation.batch_size={self.batch_size} must be at least 1.")
        if not 1 <= self.num_return <= max(1, self.num_beams):
            found.append(
                f"generation.num_return={self.num_return} must be at least 1 and at most "
                f"generation.num_beams={self.num_beams}: a search yields no more sentences than it has beams."
            )
        return found


def _search_problems(key: str, num_beams: int, max_length: int | None) -> list[str]:
    found = [f"{key}.num_beams={num_beams} must be at least 1, which is greedy."] if num_beams < 1 else []
    if max_length is not None and max_length < 1:
        found.append(f"{key}.max_length={max_length} must be at least 1.")
    return found


def recognition_problems(config: "Config") -> list[str]:
    """What keeps a configuration from training a recogniser."""
    found = _monitor_problems(config, RECOGNITION_METRICS, "run=classify")
    if config.tokenizer:
        found.append(
            "run=classify reads no text, so the group tokenizer has no effect. Use tokenizer=none, or run=translate."
        )
    return found + _network_problems(config, "num_glosses", "translation", "recognition, such as model=transformer")


def translation_problems(config: "Config") -> list[str]:
    """What keeps a configuration from training a translator."""
    found = _monitor_problems(config, TRANSLATION_METRICS, "run=translate")
    if not config.tokenizer:
        found.append("run=translate needs a tokenizer. Choose tokenizer=sentencepiece, words or pretrained.")
    found += _network_problems(config, "vocab_size", "recognition", "translation, such as model=transformer_seq2seq")
    found += [
        f"{key} has no effect on translation. Use {key.partition('=')[0]}={usual}." for key, usual in _idle(config)
    ]
    if config.translation.max_tokens is not None and not config.trainer.bucketing:
        found.append(
            f"translation.max_tokens={config.translation.max_tokens} makes batches of clips of similar length, which "
            "trainer.bucketing=false forbids. Use trainer.bucketing=true, or translation.max_tokens=null."
        )
    return found


def _idle(config: "Config") -> list[tuple[str, str]]:
    """Settings of recognition that are not at the value without effect, and that value."""
    loss, transfer = config.loss, config.transfer
    given: list[tuple[str, Any, Any]] = [
        ("loss.focal_gamma", loss.focal_gamma, 0.0),
        ("loss.class_weights", loss.class_weights.value, "none"),
        ("loss.category_weight", loss.category_weight, 0.0),
        ("loss.bias_prior", loss.bias_prior, False),
        ("loss.regularizers", list(loss.regularizers), []),
        ("transfer.extend_head", transfer.extend_head, False),
    ]
    return [(f"{key}={value}", str(usual).lower()) for key, value, usual in given if value != usual]


def _monitor_problems(config: "Config", measured: tuple[str, ...], stage: str) -> list[str]:
    stop = config.trainer.early_stopping
    keys = {"trainer.monitor": config.trainer.monitor, "scheduler.monitor": getattr(config.scheduler, "monitor", None)}
    keys |= {"trainer.early_stopping.metric": stop.metric} if stop.enabled else {}
    return [
        f"{key}={name} is not measured by {stage}. Use one of {', '.join(measured)}."
        for key, name in keys.items()
        if name in MONITORED and name not in measured
    ]


def _network_problems(config: "Config", argument: str, other: str, remedy: str) -> list[str]:
    """A network is told by what it is built with: the number of glosses, or the size of a vocabulary of words."""
    known = parameters(str(config.model.get("_target_", "")))
    theirs = "vocab_size" if argument == "num_glosses" else "num_glosses"
    if known is None or argument in known or theirs not in known:
        return []
    return [f"The group model names a network for {other} ({config.model['_target_']}). Use one for {remedy}."]
