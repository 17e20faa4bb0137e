"""The lexicon of drawn signs: a sign is a handshape, a place, a movement and a number of hands.

These are the parameters by which W. C. Stokoe described signs ("Sign Language Structure", 1960). A gloss
spells them out (``vee-chest-circle-two``). The place decides the category, after the families of signs that
share a place and a kind of meaning in American Sign Language (N. Frishberg and B. Gough, "Morphology in American
Sign Language", Sign Language & Linguistics 3(1), 2000): thinking at the head, feeling at the chest.

Vectors are (outward, down, away): outward from the body's mid-line to the signing hand's side, down from the
shoulder joints, away from the camera; unit: one shoulder width, the distance between the shoulder joints.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sign_recog.errors import ConfigError


def ease(phase: np.ndarray) -> np.ndarray:
    """The minimum-jerk profile: 0 before phase 0, 1 after phase 1, at rest at both ends.

    T. Flash and N. Hogan, "The coordination of arm movements", Journal of Neuroscience 5(7), 1985.
    """
    phase = np.clip(phase, 0, 1)
    return phase**3 * (10 - 15 * phase + 6 * phase**2)


@dataclass(frozen=True)
class Handshape:
    """What the fingers do.

    Attributes:
        curl: Index, middle, ring and little finger; 0 = straight, 1 = folded into the palm.
        spread: Angle between neighbouring fingers, in rad.
        thumb: A pose in ``hand.THUMBS``.
    """

    name: str
    curl: tuple[float, float, float, float]
    spread: float
    thumb: str


@dataclass(frozen=True)
class Place:
    """Where the hand signs: the place of the knuckle of its middle finger, and how far the fingers lean outward."""

    name: str
    category: str
    centre: tuple[float, float, float]
    lean: float  # rad


@dataclass(frozen=True)
class Movement:
    """What the hand does there.

    Attributes:
        path: Phase (T,) in [0, 1] -> shift (T, 2) outward and down, in shoulder widths.
        turn: Phase (T,) -> further lean of the fingers outward (T,), in rad.
    """

    name: str
    path: Callable[[np.ndarray], np.ndarray]
    turn: Callable[[np.ndarray], np.ndarray] = np.zeros_like


@dataclass(frozen=True)
class Sign:
    """A handshape, at a place, with a movement, by one hand or both."""

    handshape: Handshape
    place: Place
    movement: Movement
    num_hands: int

    @property
    def gloss(self) -> str:
        """The sign's name, unique in the lexicon."""
        names = [self.handshape.name, self.place.name, self.movement.name]
        return "-".join(names + ["two"] * (self.num_hands == 2))

    @property
    def category(self) -> str:
        """The group of signs it belongs to: those at the same place."""
        return self.place.category


HANDSHAPES = (
    Handshape("spread", (0, 0, 0, 0), 0.24, "out"),
    Handshape("fist", (1, 1, 1, 1), 0.02, "across"),
    Handshape("vee", (0, 0, 1, 1), 0.26, "across"),
    Handshape("flat", (0, 0, 0, 0), 0.04, "beside"),
    Handshape("point", (0, 1, 1, 1), 0.02, "across"),
    Handshape("ell", (0, 1, 1, 1), 0.02, "out"),
    Handshape("three", (0, 0, 0, 1), 0.20, "across"),
    Handshape("wye", (1, 1, 1, 0), 0.14, "out"),
    Handshape("claw", (0.42, 0.42, 0.42, 0.42), 0.20, "out"),
)

# All of them in front of the trunk or beside the head: a hand beside the hips is often missed by MediaPipe.
PLACES = (
    Place("temple", "thought", (0.66, -0.78, -0.35), 0.10),
    Place("chest", "feeling", (0.22, 0.18, -0.55), -0.35),
    Place("mouth", "speech", (0.20, -0.45, -0.50), -0.15),
    Place("belly", "need", (0.36, 0.64, -0.55), -0.50),
    Place("shoulder", "action", (0.72, -0.12, -0.40), 0.10),
)


def _still(phase: np.ndarray) -> np.ndarray:
    return np.zeros((*phase.shape, 2))


def _circle(phase: np.ndarray) -> np.ndarray:
    angle = 2 * np.pi * 1.25 * phase
    return 0.17 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=-1)


def _nod(phase: np.ndarray) -> np.ndarray:
    return np.stack([np.zeros_like(phase), 0.16 * np.sin(4 * np.pi * phase)], axis=-1)


def _shake(phase: np.ndarray) -> np.ndarray:
    return np.stack([0.16 * np.sin(4 * np.pi * phase), np.zeros_like(phase)], axis=-1)


def _sweep(phase: np.ndarray) -> np.ndarray:
    return np.stack([0.45 * ease(phase) - 0.2, -0.18 * np.sin(np.pi * ease(phase))], axis=-1)


def _lift(phase: np.ndarray) -> np.ndarray:
    return np.stack([np.zeros_like(phase), 0.2 - 0.5 * ease(phase)], axis=-1)


MOVEMENTS = (
    Movement("hold", _still),
    Movement("circle", _circle),
    Movement("nod", _nod),
    Movement("shake", _shake),
    Movement("sweep", _sweep),
    Movement("lift", _lift),
    Movement("twist", _still, turn=lambda phase: 0.55 * np.sin(4 * np.pi * phase)),
)

_KINDS: tuple[tuple, ...] = (HANDSHAPES, PLACES, MOVEMENTS, (1, 2))
MAX_GLOSSES = math.prod(map(len, _KINDS))


def _backwards(movement: Movement, name: str) -> Movement:
    return Movement(name, lambda phase: movement.path(1 - phase), turn=lambda phase: movement.turn(1 - phase))


_BY_NAME = {movement.name: movement for movement in MOVEMENTS}
# A movement and the same backwards: the hand is seen at the same places, in the opposite order.
ORDERED_PAIRS = tuple(
    (_BY_NAME[there], _backwards(_BY_NAME[there], back))
    for there, back in (("lift", "drop"), ("sweep", "return"), ("circle", "counter"))
)
_ORDERED_KINDS: tuple[tuple, ...] = (HANDSHAPES, PLACES, ORDERED_PAIRS, (1, 2))
MAX_ORDERED = 2 * math.lcm(*map(len, _ORDERED_KINDS))


def varied_sign(number: int) -> Sign:
    """Return a sign of the lexicon ``varied``.

    Sign number k takes the k-th handshape, place, movement and number of hands, each counted round and round. As
    there are 9, 5, 7 and 2 of them, and these share no divisor, the first 630 signs all differ (Chinese remainder
    theorem), and neighbours differ in everything.
    """
    handshape, place, movement, num_hands = (kind[number % len(kind)] for kind in _KINDS)
    return Sign(handshape, place, movement, num_hands)


def ordered_sign(number: int) -> Sign:
    """Return a sign of the lexicon ``ordered``: pairs that only the order of movement tells apart.

    Signs 2 k and 2 k + 1 share handshape, place and hands; one does backwards what the other does. A network that
    sees a bag of frames gets at most one of the two right.
    """
    handshape, place, pair, num_hands = (kind[number // 2 % len(kind)] for kind in _ORDERED_KINDS)
    return Sign(handshape, place, pair[number % 2], num_hands)


# Name -> its signs by number, and how many there are.
LEXICONS: dict[str, tuple[Callable[[int], Sign], int]] = {
    "varied": (varied_sign, MAX_GLOSSES),
    "ordered": (ordered_sign, MAX_ORDERED),
}


def build_lexicon(num_glosses: int, lexicon: str = "varied") -> list[Sign]:
    """Return the first ``num_glosses`` signs of a lexicon; a larger one begins with the smaller one.

    Raises:
        ConfigError: If there is no such lexicon, or it has not that many signs.
    """
    if lexicon not in LEXICONS:
        raise ConfigError(f"data.corpus.lexicon={lexicon} is none of {', '.join(LEXICONS)}.")
    sign_at, most = LEXICONS[lexicon]
    if not 1 <= num_glosses <= most:
        raise ConfigError(
            f"data.corpus.num_glosses={num_glosses} is not between 1 and {most}, which the lexicon {lexicon} has. "
            "Choose fewer signs."
        )
    return [sign_at(number) for number in range(num_glosses)]
