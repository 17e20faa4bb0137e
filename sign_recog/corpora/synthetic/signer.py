"""Who signs: body proportions, looks, camera and habits of one drawn signer.

Lengths are in shoulder widths (the distance between the shoulder joints) unless named otherwise; colours are RGB.
"""

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

_SKINS: tuple[Colour, ...] = (
    (236, 196, 168), (225, 177, 146), (209, 158, 122), (190, 136, 100), (164, 112, 80), (134, 90, 64),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = ((38, 30, 26), (66, 44, 30), (104, 70, 42), (168, 128, 78), (128, 62, 36), (146, 142, 140))
_SHIRTS: tuple[Colour, ...] = (
    (44, 62, 92), (52, 86, 74), (96, 44, 58), (70, 70, 78), (34, 34, 40), (84, 66, 104), (38, 92, 112), (72, 88, 50),
)  # fmt: skip
_WALLS: tuple[Colour, ...] = (
    (198, 204, 210), (176, 192, 200), (206, 200, 184), (186, 200, 184), (192, 184, 200), (164, 172, 182),
)  # fmt: skip
HAIR_STYLES = ("short", "long", "bun", "cropped")
FPS = (15, 20, 25)


@dataclass(frozen=True)
class Signer:
    """One signer, the same in all of their clips.

    Attributes:
        tempo: Speed; 1.2 signs a fifth faster.
        reach: Factor on the size of movements.
        shoulder_px_share: Shoulder width over image width.
        centre: Where the middle between the shoulders stands in the image, in image widths (x) and heights (y).
        hips_half: Half the width between the hip joints.
        rest: Where an idle hand is, as :class:`~sign_recog.corpora.synthetic.signs.Place` has it.
    """

    name: str
    left_handed: bool
    fps: int
    tempo: float
    reach: float
    shoulder_px_share: float
    centre: tuple[float, float]
    head_half: tuple[float, float]  # half width and half height of the face
    neck: float  # from the shoulder line to the chin
    upper_arm: float
    forearm: float
    hand: float
    hips_half: float
    rest: tuple[float, float, float]
    skin: Colour
    hair: Colour
    hair_style: str
    shirt: Colour
    long_sleeves: bool
    glasses: bool
    wall: Colour


def draw_signer(name: str, left_handed: bool, rng: np.random.Generator) -> Signer:
    """Return a signer whose traits come from ``rng``."""

    def pick(options: tuple) -> int:
        return int(rng.integers(len(options)))

    upper_arm = rng.uniform(0.80, 0.88)
    forearm = rng.uniform(0.70, 0.78)
    hanging = bool(rng.random() < 0.6)
    rest = (0.58, upper_arm + forearm + 0.25, -0.12) if hanging else (0.24, 1.30, -0.42)
    return Signer(
        name=name,
        left_handed=left_handed,
        fps=FPS[pick(FPS)],
        tempo=rng.uniform(0.9, 1.15),
        reach=rng.uniform(0.85, 1.15),
        shoulder_px_share=rng.uniform(0.285, 0.335),
        centre=(rng.uniform(0.47, 0.53), rng.uniform(0.44, 0.48)),
        head_half=(rng.uniform(0.225, 0.255), rng.uniform(0.30, 0.33)),
        neck=rng.uniform(0.30, 0.36),
        upper_arm=upper_arm,
        forearm=forearm,
        hand=rng.uniform(0.60, 0.67),
        hips_half=rng.uniform(0.30, 0.36),
        rest=rest,
        skin=_SKINS[pick(_SKINS)],
        hair=_HAIRS[pick(_HAIRS)],
        hair_style=HAIR_STYLES[pick(HAIR_STYLES)],
        shirt=_SHIRTS[pick(_SHIRTS)],
        long_sleeves=bool(rng.random() < 0.35),
        glasses=bool(rng.random() < 0.2),
        wall=_WALLS[pick(_WALLS)],
    )
