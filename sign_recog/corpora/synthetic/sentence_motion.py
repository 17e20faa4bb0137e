"""How a signer signs a sentence: signs one after another, the hands moving from each straight into the next.

The next handshape is formed on the way, and a hand that the next sign does not need goes to rest: what a sign looks
like depends on its neighbours, and where it begins and ends is not to be seen.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sign_recog.corpora.synthetic.motion import Fingers, Gesture, Motion, move, stroke
from sign_recog.corpora.synthetic.signer import Signer
from sign_recog.corpora.synthetic.signs import Sign, ease

# Durations in s at tempo 1; signs in sentences are shorter than alone.
_REST_S, _PREPARE_S, _STROKE_S, _TRANSITION_S, _RETRACT_S = 0.07, 0.25, 0.42, 0.20, 0.24


def perform_sentence(signs: Sequence[Sign], signer: Signer, rng: np.random.Generator) -> Motion:
    """Return one take of ``signs``, at least one; ``rng`` decides its timing, size and small shifts."""
    shares, phases, spans = _timing(len(signs), signer, rng)
    strokes, fingers = [], []
    for sign, phase in zip(signs, phases, strict=True):
        strokes.append(stroke(sign, phase, signer.reach * rng.uniform(0.9, 1.1), rng))
        fingers.append(Fingers.of(sign.handshape))
    both = np.array([[sign.num_hands == 2] for sign in signs])
    dominant, other = (_blended(shares * active, strokes, fingers) for active in (np.ones_like(both), both))
    return replace(move(signer, dominant, other, rng), signs=spans)


def _timing(
    num_signs: int, signer: Signer, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, tuple[tuple[int, int], ...]]:
    """How much of each sign there is in a frame (S, T), the phase of its stroke (S, T), and its frames."""
    usual = [_REST_S, _PREPARE_S, *[_STROKE_S, _TRANSITION_S] * (num_signs - 1), _STROKE_S, _RETRACT_S, _REST_S]
    ends_s = np.cumsum(np.array(usual) / signer.tempo * rng.uniform(0.85, 1.15, len(usual)))
    time_s = np.arange(round(ends_s[-1] * signer.fps)) / signer.fps
    # Movement k, from rest or sign k - 1 to sign k or rest, begins at ends_s[2 k] and ends at ends_s[2 k + 1].
    begins, arrives = ends_s[0 : 2 * num_signs + 1 : 2, None], ends_s[1 : 2 * num_signs + 2 : 2, None]
    moved = ease((time_s - begins) / (arrives - begins))  # (S + 1, T)
    phases = np.clip((time_s - arrives[:-1]) / (begins[1:] - arrives[:-1]), 0, 1)
    edges = np.round(np.concatenate([arrives[:-1], begins[1:]], axis=1) * signer.fps).astype(int)
    return moved[:-1] - moved[1:], phases, tuple((int(first), int(end)) for first, end in edges)


def _blended(
    shares: np.ndarray, strokes: Sequence[tuple[np.ndarray, np.ndarray]], fingers: Sequence[Fingers]
) -> Gesture:
    """One hand's way through the signs; ``shares`` (S, T), which sum up to 1 where it does not rest at all."""
    weight = shares.sum(axis=0)
    # Where a hand rests its way has no effect; it is that of the sign it comes from or goes to.
    relative = np.where(weight > 1e-9, shares, 1.0 / len(shares))
    relative = relative / relative.sum(axis=0)

    def mean(values: Sequence[np.ndarray]) -> np.ndarray:
        """(T, ...), of values (T, ...) of each sign."""
        stacked = np.stack(values)  # (S, T, ...)
        return (relative.reshape(*relative.shape, *[1] * (stacked.ndim - 2)) * stacked).sum(axis=0)

    def always(value: np.ndarray) -> np.ndarray:
        return np.broadcast_to(value, (len(weight), *value.shape))

    return Gesture(
        np.clip(weight, 0, 1),
        mean([path for path, _ in strokes]),
        mean([lean for _, lean in strokes]),
        Fingers(*(mean([always(getattr(one, name)) for one in fingers]) for name in ("curl", "spread", "thumb"))),
    )
