"""How a signer performs a sign: the joints of the upper body and of both hands in every frame.

Axes: x right in the image, y down, z away from the camera; origin midway between the shoulder joints; unit: one
shoulder width. A take is rest, preparation, stroke, retraction, rest (the phases of A. Kendon, "Gesture: Visible
Action as Utterance", 2004).
"""

from dataclasses import dataclass

import numpy as np

from sign_recog.corpora.synthetic import hand
from sign_recog.corpora.synthetic.signer import Signer
from sign_recog.corpora.synthetic.signs import Handshape, Sign, ease

# Durations in s at tempo 1.
_REST_S, _PREPARE_S, _STROKE_S, _RETRACT_S = 0.07, 0.27, 0.66, 0.24
_REST_PITCH, _REST_YAW = 2.7, 0.9  # rad: the fingers of an idle hand point down, its palm faces the body


@dataclass(frozen=True)
class Motion:
    """Joints of one take.

    Attributes:
        pose: (T, 33, 3) MediaPipe's pose points; NaN below the hips, which are not drawn.
        hands: (T, 2, 21, 3) the left and the right hand.
        signing: (T, 2) bool, True = the left or right hand is within its stroke.
        signs: The first frame of each sign of a sentence and the one behind its last; empty for single signs.
    """

    pose: np.ndarray
    hands: np.ndarray
    signing: np.ndarray
    signs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Fingers:
    """What the fingers are to do: the same in all frames, or with a first axis T.

    Attributes:
        curl: (4,) or (T, 4); spread: () or (T,); thumb: (4, 3) or (T, 4, 3). As in :func:`hand.joints`.
    """

    curl: np.ndarray
    spread: np.ndarray
    thumb: np.ndarray

    @classmethod
    def of(cls, handshape: Handshape) -> "Fingers":
        return cls(np.array(handshape.curl), np.array(handshape.spread), hand.THUMBS[handshape.thumb])


@dataclass(frozen=True)
class Gesture:
    """What one hand does.

    Attributes:
        weight: (T,) how far it is from rest, 0 to 1.
        path: (T, 3) the middle finger's knuckle where weight is 1, of a left hand.
        lean: (T,) rad, of its fingers outward.
    """

    weight: np.ndarray
    path: np.ndarray
    lean: np.ndarray
    fingers: Fingers


def perform(sign: Sign, signer: Signer, rng: np.random.Generator) -> Motion:
    """Return one take of ``sign``; ``rng`` decides its timing, size and small shifts."""
    weight, phase = _profile(signer, rng)
    size = signer.reach * rng.uniform(0.9, 1.1)
    path, lean = stroke(sign, phase, size, rng)
    fingers = Fingers.of(sign.handshape)
    return move(
        signer,
        Gesture(weight, path, lean, fingers),
        Gesture(weight * (sign.num_hands == 2), path, lean, fingers),
        rng,
    )


def move(signer: Signer, dominant: Gesture, other: Gesture, rng: np.random.Generator) -> Motion:
    """The whole body, of what the dominant hand and the other one do."""
    num_frames = len(dominant.weight)
    sway = _sway(num_frames, signer.fps, rng)
    pose = _torso_and_head(signer, num_frames, rng)
    hands = np.empty((num_frames, 2, 21, 3))
    signing = np.zeros((num_frames, 2), bool)
    for gesture in (dominant, other):
        side = 0 if (gesture is dominant) == signer.left_handed else 1  # left, right
        signing[:, side] = gesture.weight > 0.98
        wrist, shape = _arm(gesture, signer, rng)
        shoulder = np.array([0.5, 0.0, 0.0])
        elbow, wrist = _solve_arm(shoulder, wrist, signer.upper_arm, signer.forearm)
        points = np.concatenate([elbow[:, None], wrist[:, None], wrist[:, None] + shape], axis=1)
        points[..., 0] *= 1 if side == 0 else -1
        pose[:, 13 + side], pose[:, 15 + side] = points[:, 0], points[:, 1]
        hands[:, side] = points[:, 2:]
        # The pose model's own three hand points are the knuckles of the little and index finger and the thumb's.
        pose[:, 17 + side], pose[:, 19 + side] = hands[:, side, 17], hands[:, side, 5]
        pose[:, 21 + side] = hands[:, side, 3]
    return Motion(pose + sway[:, None], hands + sway[:, None, None], signing)


def _profile(signer: Signer, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the hand is from rest (T,), 0 to 1, and the phase of the stroke (T,), 0 to 1."""
    usual = np.array([_REST_S, _PREPARE_S, _STROKE_S, _RETRACT_S, _REST_S]) / signer.tempo
    ends = np.cumsum(usual * rng.uniform(0.85, 1.15, 5))
    time_s = np.arange(round(ends[-1] * signer.fps)) / signer.fps
    up = ease((time_s - ends[0]) / (ends[1] - ends[0]))
    down = ease((time_s - ends[2]) / (ends[3] - ends[2]))
    return up - down, np.clip((time_s - ends[1]) / (ends[2] - ends[1]), 0, 1)


def _sway(num_frames: int, fps: int, rng: np.random.Generator) -> np.ndarray:
    """Return a slow shift of the whole body (T, 3)."""
    angle = 2 * np.pi * rng.uniform(0.2, 0.5) * np.arange(num_frames) / fps + rng.uniform(0, 2 * np.pi)
    return np.stack([0.012 * np.sin(angle), 0.006 * np.cos(1.3 * angle), np.zeros(num_frames)], axis=-1)


def stroke(sign: Sign, phase: np.ndarray, size: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle finger's knuckle (T, 3), of a left hand, and the lean of the fingers (T,) in the stroke."""
    centre = np.array(sign.place.centre) + rng.normal(0, 0.025, 3)
    if sign.num_hands == 2:
        centre[0] = max(centre[0], 0.42)  # keeps the two hands apart
    path = np.repeat(centre[None], len(phase), axis=0)
    path[:, :2] += size * sign.movement.path(phase)
    return path, sign.place.lean + size * sign.movement.turn(phase)


def _arm(gesture: Gesture, signer: Signer, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a left hand's wrist (T, 3), and its joints relative to the wrist (T, 21, 3)."""
    weight, path, lean = gesture.weight, gesture.path, gesture.lean
    early = np.clip(1.6 * weight, 0, 1)  # the handshape is formed before the hand arrives
    turn = hand.rotation(
        lean=weight * (lean + rng.normal(0, 0.05)),
        yaw=weight * rng.normal(0, 0.08) + (1 - weight) * _REST_YAW,
        pitch=(1 - early) * _REST_PITCH + rng.normal(0, 0.05),
    )
    joints = signer.hand * _shape(gesture.fingers, early, rng) @ turn.transpose(0, 2, 1)
    rest = np.array(signer.rest) + rng.normal(0, 0.03, 3)
    wrist = weight[:, None] * (path - joints[:, hand.MIDDLE_KNUCKLE]) + (1 - weight[:, None]) * rest
    wrist[:, 2] -= 0.35 * np.sin(np.pi * weight)  # a hand is raised in front of the body, not through it
    return wrist, joints


def _shape(fingers: Fingers, weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the hand's joints (T, 21, 3) in its own axes, between idle (weight 0) and what they are to do (1)."""
    curl = np.clip(fingers.curl + rng.normal(0, 0.03, 4), 0, 1)
    spread = fingers.spread * rng.uniform(0.85, 1.15)
    share = weight[:, None]
    return hand.joints(
        curl=share * curl + (1 - share) * hand.RESTING_CURL,
        spread=weight * spread + (1 - weight) * hand.RESTING_SPREAD,
        thumb=share[..., None] * fingers.thumb + (1 - share[..., None]) * hand.THUMBS["beside"],
    )


def _solve_arm(
    shoulder: np.ndarray, wrist: np.ndarray, upper_arm: float, forearm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return elbow and wrist (T, 3) of a two-link arm; the elbow hangs down and out, a far wrist is pulled in."""
    to_wrist = wrist - shoulder
    distance = np.linalg.norm(to_wrist, axis=-1, keepdims=True)
    along = to_wrist / distance
    distance = np.clip(distance, abs(upper_arm - forearm) + 0.05, 0.995 * (upper_arm + forearm))
    hang = np.array([0.55, 1.0, 0.25])
    across = hang - (along @ hang)[:, None] * along
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    share = (upper_arm**2 - forearm**2 + distance**2) / (2 * distance)  # law of cosines
    height = np.sqrt(np.maximum(upper_arm**2 - share**2, 0))
    return shoulder + share * along + height * across, shoulder + distance * along


def _torso_and_head(signer: Signer, num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return the pose points (T, 33, 3) of head, shoulders and hips; the others are NaN."""
    half_width, half_height = signer.head_half
    pose = np.full((33, 3), np.nan)
    middle = -(signer.neck + half_height)  # y of the face's middle
    # Shares of the face's half width (x, z) and half height (y), for the signer's left side.
    face = {1: (0.26, -0.10, -0.85), 2: (0.42, -0.10, -0.82), 3: (0.58, -0.10, -0.75), 7: (1.0, 0.0, 0.0)}
    face |= {9: (0.32, 0.52, -0.85)}
    pose[0] = 0, middle + 0.24 * half_height, -1.1 * half_width
    for left, (x, y, z) in face.items():
        right = left + 1 if left in (7, 9) else left + 3
        pose[left] = x * half_width, middle + y * half_height, z * half_width
        pose[right] = pose[left] * (-1, 1, 1)
    pose[11], pose[12] = (0.5, 0.0, 0.0), (-0.5, 0.0, 0.0)
    pose[23], pose[24] = (signer.hips_half, 1.5, 0.0), (-signer.hips_half, 1.5, 0.0)
    frames = np.repeat(pose[None], num_frames, axis=0)
    tilt = rng.normal(0, 0.02) + 0.015 * np.sin(np.linspace(0, 3, num_frames) + rng.uniform(0, 6))
    frames[:, :11, 0] += tilt[:, None] * -(frames[:, :11, 1] + signer.neck * 0.5)  # the head leans over the neck
    return frames
