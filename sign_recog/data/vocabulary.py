"""The labels a recogniser knows, and their order in its logits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, listing

NO_CATEGORY = -1


@dataclass(frozen=True)
class Vocabulary:
    """Glosses and categories, each a sorted tuple of names."""

    glosses: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def from_clips(cls, clips: Iterable[Clip]) -> "Vocabulary":
        """The labels that occur in ``clips``; whole numbers sort as numbers."""
        clips = list(clips)
        return cls(_sorted({c.gloss for c in clips if c.gloss}), _sorted({c.category for c in clips if c.category}))

    def encode(self, clips: Sequence[Clip]) -> tuple[list[int], list[int]]:
        """Gloss and category index of each clip; ``NO_CATEGORY`` where a clip has none.

        Raises:
            DataError: Naming every label that is not in the vocabulary.
        """
        gloss_index = {name: i for i, name in enumerate(self.glosses)}
        category_index = {name: i for i, name in enumerate(self.categories)} | {"": NO_CATEGORY}
        problems = _unknown("gloss", [c.gloss for c in clips], gloss_index)
        names = ",".join(sorted({c.gloss for c in clips} - set(gloss_index)))
        remedy = f"data.exclude_glosses=[{names}]" if problems else "or correct the annotation"
        if self.categories:
            problems += _unknown("category", [c.category for c in clips], category_index)
        if problems:
            head = f"{len(problems)} labels are not in the vocabulary ({len(self.glosses)} glosses)."
            raise DataError(f"{listing(head, problems)}\nAdd clips of them to train, or leave them out: {remedy}.")
        return [gloss_index[c.gloss] for c in clips], [category_index.get(c.category, NO_CATEGORY) for c in clips]


def _unknown(kind: str, labels: list[str], known: dict[str, int]) -> list[str]:
    names = sorted(set(labels) - set(known))
    return [f"{kind} {name!r}: {labels.count(name)} clips, none of them in train" for name in names]


def _sorted(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=(lambda n: int(n)) if all(n.isdecimal() for n in names) else None))
