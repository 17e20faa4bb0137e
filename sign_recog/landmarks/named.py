"""Landmarks that a user names: what the V axis of labelled frames, and of detectors trained on them, holds.

Holistic's own points are :mod:`sign_recog.landmarks.layout`; these may be of anything, also of animals.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.landmarks.layout import Layout, get_layout
from sign_recog.landmarks.names import point_names


@dataclass(frozen=True)
class NamedLandmarks:
    """A named set of landmarks, and what is known of how they belong together.

    Attributes:
        names: On the V axis, each once.
        swap_pairs: Pairs that change places in a mirror, such as left and right wrist.
        views: For pictures that show the same points several times, by mirrors or several cameras: ``views[k][m]`` is
            point m as view k shows it. Empty = every point is seen once.
        limbs: Pairs that are joined when they are drawn.

    Raises:
        DataError: If a name comes twice, or one of the others is none of them.
    """

    names: tuple[str, ...]
    swap_pairs: tuple[tuple[str, str], ...] = ()
    views: tuple[tuple[str, ...], ...] = ()
    limbs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise DataError(f"The landmark {', '.join(twice)} comes more than once. Give each a name of its own.")
        for key in ("swap_pairs", "views", "limbs"):
            listed = [name for group in getattr(self, key) for name in group]
            if unknown := [name for name in listed if name not in self.names]:
                raise DataError(
                    f"data.{key} names {', '.join(dict.fromkeys(unknown))}, and the landmarks are "
                    f"{', '.join(self.names)}. Use those names."
                )
            if key != "limbs" and (twice := sorted({name for name in listed if listed.count(name) > 1})):
                raise DataError(f"data.{key} names {', '.join(twice)} more than once. Each belongs to one of them.")
        if (self.views and len({len(view) for view in self.views}) != 1) or len(self.views) == 1:
            raise DataError(
                f"data.views lists {', '.join(str(len(view)) for view in self.views)} landmarks. Give two views or "
                "more, each with the same points in the same order."
            )

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of_layout(cls, layout: Layout) -> "NamedLandmarks":
        """Those of Holistic's that ``layout`` holds, named as :func:`sign_recog.landmarks.names.point_names` does."""
        names = point_names(layout)
        mirror = layout.mirror
        pairs = [(names[a], names[b]) for a, b in enumerate(mirror.tolist()) if a < b]
        return cls(tuple(names), tuple(pairs), limbs=tuple((names[a], names[b]) for a, b in layout.limbs))

    def with_holistics(self) -> "NamedLandmarks":
        """With pairs and limbs that Holistic's points have, where these have its names and none are given."""
        holistic = NamedLandmarks.of_layout(get_layout("holistic_75"))

        def known(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
            return tuple(pair for pair in pairs if set(pair) <= set(self.names))

        return replace(
            self,
            swap_pairs=self.swap_pairs or known(holistic.swap_pairs),
            limbs=self.limbs or known(holistic.limbs),
        )

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "NamedLandmarks":
        """What :meth:`to_json` gave."""
        return cls(
            tuple(content["names"]),
            *(tuple(tuple(group) for group in content[key]) for key in ("swap_pairs", "views", "limbs")),
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {key: list(map(list, v)) if key != "names" else list(v) for key, v in asdict(self).items()}

    def index(self, names: tuple[str, ...] | list[str]) -> list[int]:
        """Where ``names`` stand on the V axis."""
        return [self.names.index(name) for name in names]

    @property
    def mirror(self) -> np.ndarray:
        """(V,) int64: ``points[:, mirror]`` swaps the partners."""
        order = np.arange(len(self.names))
        for one, other in self.swap_pairs:
            a, b = self.index([one, other])
            order[[a, b]] = [b, a]
        return order

    @property
    def view_index(self) -> np.ndarray:
        """(K, M) int64: where point m stands as view k shows it; (0, 0) where there are no views."""
        points = len(self.views[0]) if self.views else 0
        return np.array([self.index(view) for view in self.views], dtype=np.int64).reshape(len(self.views), points)

    @property
    def limb_index(self) -> list[tuple[int, int]]:
        """Pairs of places on the V axis."""
        return [(self.names.index(a), self.names.index(b)) for a, b in self.limbs]
