"""Named sets of landmarks: which points an array's V axis holds, and in what order.

Every layout is a selection from ``holistic_543``, MediaPipe Holistic's own points in the order
pose (33), left hand (21), right hand (21), face mesh (468). Left and right are the signer's.
Names of the points: https://github.com/google-ai-edge/mediapipe (pose and hand landmark models).
"""

from dataclasses import dataclass

import numpy as np

from sign_recog.errors import ConfigError

NUM_POSE, NUM_HAND, NUM_FACE = 33, 21, 468
_LEFT_HAND, _RIGHT_HAND, _FACE = 33, 54, 75  # first index of each part in holistic_543

# Pose points by their number in MediaPipe's pose model.
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP = 11, 12, 23, 24
LEFT_WRIST, RIGHT_WRIST = 15, 16
# Hand points by their number in MediaPipe's hand model.
WRIST, MIDDLE_MCP = 0, 9

# S1 (FSLR) keeps these eleven points of the face mesh, in this order.
FSLR_FACE_IDS = (1, 33, 263, 133, 362, 61, 291, 105, 334, 199, 4)

# Left-right partners. Pose: the model's numbering alternates left and right. Face: eye corners
# 33-263 and 133-362, mouth corners 61-291, brows 105-334; nose (1, 4) and chin (199) are central.
_POSE_PAIRS = ((1, 4), (2, 5), (3, 6), (7, 8), (9, 10), *((i, i + 1) for i in range(11, 32, 2)))
_FACE_PAIRS = ((33, 263), (133, 362), (61, 291), (105, 334))

_FINGERS = tuple((base + i, base + i + 1) for base in (1, 5, 9, 13, 17) for i in range(3))
_HAND_LIMBS = ((0, 1), (0, 5), (0, 17), (5, 9), (9, 13), (13, 17), *_FINGERS)
_POSE_LIMBS = (
    (11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24), (23, 25), (25, 27),
    (24, 26), (26, 28), (0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A named selection of Holistic's points.

    Attributes:
        ids: For each point its index in ``holistic_543``.
        source: Where the selection comes from.
    """

    name: str
    ids: tuple[int, ...]
    source: str

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def parts(self) -> dict[str, slice]:
        """Part name -> its slice of the V axis; parts without points are absent."""
        bounds = {"pose": (0, 33), "left_hand": (33, 54), "right_hand": (54, 75), "face": (75, 543)}
        found = {}
        for part, (low, high) in bounds.items():
            inside = [v for v, i in enumerate(self.ids) if low <= i < high]
            if inside:
                found[part] = slice(inside[0], inside[-1] + 1)
        return found

    @property
    def has_face(self) -> bool:
        return "face" in self.parts

    @property
    def limbs(self) -> list[tuple[int, int]]:
        """Pairs of points to join when drawing."""
        position = {i: v for v, i in enumerate(self.ids)}
        ends = [
            *_POSE_LIMBS,
            *((_LEFT_HAND + a, _LEFT_HAND + b) for a, b in _HAND_LIMBS),
            *((_RIGHT_HAND + a, _RIGHT_HAND + b) for a, b in _HAND_LIMBS),
        ]
        return [(position[a], position[b]) for a, b in ends if a in position and b in position]

    @property
    def mirror(self) -> np.ndarray:
        """(V,) int64: ``keypoints[:, mirror]`` swaps the left and the right points.

        Raises:
            ConfigError: If a point's partner is unknown (most of the face mesh) or not in the layout.
        """
        partner = {a: b for a, b in _mirror_pairs()} | {b: a for a, b in _mirror_pairs()}
        partner |= {0: 0} | {_FACE + i: _FACE + i for i in (1, 4, 199)}
        position = {i: v for v, i in enumerate(self.ids)}
        unknown = [i for i in self.ids if partner.get(i) not in position]
        if unknown:
            raise ConfigError(
                f"Layout {self.name} cannot be mirrored: {len(unknown)} points have no known partner. "
                "Use modality.layout=holistic_75, signon_67 or fslr_78."
            )
        return np.array([position[partner[i]] for i in self.ids])

    def index_in(self, stored: "Layout") -> np.ndarray:
        """(V,) int64: where this layout's points stand in arrays of the layout ``stored``.

        Raises:
            ConfigError: If ``stored`` lacks a point of this layout.
        """
        position = {i: v for v, i in enumerate(stored.ids)}
        missing = [i for i in self.ids if i not in position]
        if missing and min(stored.ids) < 0:
            raise ConfigError(
                f"Layout {self.name} holds MediaPipe Holistic's points, and these keypoints hold landmarks of another "
                "naming, which only pictures, quality and overlays can use. Train the detector on Holistic's names "
                "(such as left_hand.wrist), or extract with extractor=mediapipe_holistic."
            )
        if missing:
            raise ConfigError(
                f"Layout {self.name} needs {len(missing)} points that layout {stored.name} does not hold. "
                f"Extract again with extractor.layout={self.name} or holistic_543, or choose another modality.layout."
            )
        return np.array([position[i] for i in self.ids])


def _mirror_pairs() -> list[tuple[int, int]]:
    hands = [(_LEFT_HAND + i, _RIGHT_HAND + i) for i in range(NUM_HAND)]
    return [*_POSE_PAIRS, *hands, *((_FACE + a, _FACE + b) for a, b in _FACE_PAIRS)]


_UPPER_BODY_AND_HANDS = (*range(25), *range(_LEFT_HAND, _FACE))
LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("holistic_543", tuple(range(543)), "MediaPipe Holistic: pose, left hand, right hand, face mesh"),
        Layout("holistic_75", tuple(range(75)), "SignON SLR files: pose 33, left hand 21, right hand 21; no face"),
        Layout("signon_67", _UPPER_BODY_AND_HANDS, "SignON SLR network input: pose 0-24 and both hands (134 values)"),
        Layout(
            "fslr_78",
            (*_UPPER_BODY_AND_HANDS, *(_FACE + i for i in FSLR_FACE_IDS)),
            "FSLR: pose 0-24, both hands, eleven face-mesh points (156 values)",
        ),
    )
}


def get_layout(name: str) -> Layout:
    """Return the layout called ``name``.

    Raises:
        ConfigError: If there is none.
    """
    if name not in LAYOUTS:
        raise ConfigError(f"There is no landmark layout {name!r}. Known: {', '.join(LAYOUTS)}.")
    return LAYOUTS[name]
