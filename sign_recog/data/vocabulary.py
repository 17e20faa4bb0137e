"""The labels a recogniser knows, and their order in its logits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, listing

NO_CATEGORY = -1


@dataclass(frozen=True)
class Labels:
    """What each of some clips is, as indices into a vocabulary.

    Attributes:
        glosses: Always known.
        categories: ``NO_CATEGORY`` where a clip has none.
        languages: 0 where the vocabulary has one language only.
    """

    glosses: list[int]
    categories: list[int]
    languages: list[int]


@dataclass(frozen=True)
class Vocabulary:
    """Glosses, categories and languages, each a sorted tuple of names; no languages where there is only one."""

    glosses: tuple[str, ...]
    categories: tuple[str, ...]
    languages: tuple[str, ...] = ()

    @classmethod
    def from_clips(cls, clips: Iterable[Clip]) -> "Vocabulary":
        """The labels that occur in ``clips``; whole numbers sort as numbers."""
        clips = list(clips)
        glosses, categories = {c.gloss for c in clips if c.gloss}, {c.category for c in clips if c.category}
        languages = {language_of(c) for c in clips}
        return cls(_sorted(glosses), _sorted(categories), _sorted(languages) if len(languages) > 1 else ())

    def encode(self, clips: Sequence[Clip]) -> Labels:
        """The labels of each clip.

        Raises:
            DataError: Naming every label that is not in the vocabulary.
        """
        gloss_index = {name: i for i, name in enumerate(self.glosses)}
        category_index = {name: i for i, name in enumerate(self.categories)} | {"": NO_CATEGORY}
        language_index = {name: i for i, name in enumerate(self.languages)}
        problems = _unknown("gloss", [c.gloss for c in clips], gloss_index)
        names = ",".join(sorted({c.gloss for c in clips} - set(gloss_index)))
        remedy = f"data.exclude_glosses=[{names}]" if problems else "or correct the annotation"
        if self.categories:
            problems += _unknown("category", [c.category for c in clips], category_index)
        if self.languages:
            problems += _unknown("language", [language_of(c) for c in clips], language_index)
        if problems:
            head = f"{len(problems)} labels are not in the vocabulary ({len(self.glosses)} glosses)."
            raise DataError(f"{listing(head, problems)}\nAdd clips of them to train, or leave them out: {remedy}.")
        return Labels(
            [gloss_index[c.gloss] for c in clips],
            [category_index.get(c.category, NO_CATEGORY) for c in clips],
            [language_index.get(language_of(c), 0) for c in clips],
        )


def language_of(clip: Clip) -> str:
    """The sign language of a clip: its column ``language``; empty where the corpus has one language."""
    return clip.extra.get("language", "")


def _unknown(kind: str, labels: list[str], known: dict[str, int]) -> list[str]:
    names = sorted(set(labels) - set(known))
    return [f"{kind} {name!r}: {labels.count(name)} clips, none of them in train" for name in names]


def _sorted(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=(lambda n: (int(n), n)) if all(n.isdecimal() for n in names) else None))
