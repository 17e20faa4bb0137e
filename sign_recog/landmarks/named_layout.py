"""Keypoints whose points are not MediaPipe Holistic's: a layout that carries its own names."""

from dataclasses import dataclass, field

import numpy as np

from sign_recog.landmarks.layout import Layout
from sign_recog.landmarks.named import NamedLandmarks

NAMED = "named"


@dataclass(frozen=True)
class NamedLayout(Layout):
    """The landmarks that a user named, as a :class:`Layout`; none of its points is one of Holistic's.

    What is told apart by Holistic's parts (hands, shoulders) is not there: ``parts`` has the one part ``landmarks``,
    and the points can be selected by no other layout.
    """

    landmarks: NamedLandmarks = field(default_factory=lambda: NamedLandmarks(()))

    @classmethod
    def of(cls, landmarks: NamedLandmarks) -> "NamedLayout":
        """The layout that holds ``landmarks``; its ids are negative, as they are nobody's in ``holistic_543``."""
        return cls(NAMED, tuple(range(-len(landmarks), 0)), "landmarks that a detector was trained on", landmarks)

    @property
    def parts(self) -> dict[str, slice]:
        return {"landmarks": slice(0, len(self))}

    @property
    def limbs(self) -> list[tuple[int, int]]:
        return self.landmarks.limb_index

    @property
    def mirror(self) -> np.ndarray:
        return self.landmarks.mirror
