"""Settings of the groups ``translation`` (a training's) and ``generation`` (of a finished network's sentences)."""

from dataclasses import dataclass, field

from omegaconf import MISSING


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
