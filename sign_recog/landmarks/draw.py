"""Skeletons on pictures: for overlay videos and for the strips of a report."""

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np

from sign_recog.landmarks.layout import NUM_HAND, NUM_POSE, Layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NamedLayout

# RGB. Orange is the signer's left and blue their right (a pair that colour-blind people tell apart,
# Okabe and Ito 2008, https://jfly.uni-koeln.de/color/); hands are stronger than arms.
LEFT_HAND, RIGHT_HAND = (255, 140, 0), (0, 130, 255)
LEFT_ARM, RIGHT_ARM = (255, 196, 120), (130, 195, 255)
MIDDLE, FACE = (235, 235, 235), (120, 220, 160)
_OUTLINE = (20, 20, 20)
_SUBPIXEL_BITS = 4  # cv2 draws at sixteenths of a pixel, so skeletons do not tremble with rounding
_SURE = 0.5  # confidence of a named landmark
_FAR = 4.0  # image widths; MediaPipe guesses hidden points far outside the picture, where cv2 overflows


def draw_skeleton(image: np.ndarray, keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    """Return a copy of ``image`` with one frame's landmarks on it; missing points are left out.

    Args:
        image: (H, W, 3) uint8 RGB.
        keypoints: (V, 2) or (V, 3) float in image widths, NaN = missing.
    """
    if isinstance(layout, NamedLayout):
        return draw_landmarks(image, keypoints[:, :2].astype(np.float64) * image.shape[1] - 0.5, layout.landmarks)
    import cv2

    drawn = np.ascontiguousarray(image).copy()
    width = image.shape[1]
    body, hand = max(1, round(width / 280)), max(1, round(width / 480))
    points = keypoints[:, :2].astype(np.float64)
    seen = np.isfinite(points).all(axis=1) & (np.abs(np.nan_to_num(points)) < _FAR).all(axis=1)
    pixels = np.where(seen[:, None], points * width * 2**_SUBPIXEL_BITS, 0).round().astype(int)
    limbs = [(a, b) for a, b in layout.limbs if seen[a] and seen[b]]
    jointed = {v for limb in layout.limbs for v in limb}
    style = {"lineType": cv2.LINE_AA, "shift": _SUBPIXEL_BITS}
    for extra, outline in ((2, True), (0, False)):  # a dark rim under all of it, then the colours
        for a, b in limbs:
            color = _OUTLINE if outline else _limb_color(layout.ids[a], layout.ids[b])
            thickness = (hand if layout.ids[a] >= NUM_POSE else body) + extra
            cv2.line(drawn, tuple(map(int, pixels[a])), tuple(map(int, pixels[b])), color, thickness, **style)
    for v in np.flatnonzero(seen):
        if v in jointed or layout.ids[v] >= _FIRST_FACE:
            radius = int(0.8 * (hand if layout.ids[v] >= NUM_POSE else body) * 2**_SUBPIXEL_BITS)
            cv2.circle(drawn, tuple(map(int, pixels[v])), radius, _point_color(layout.ids[v]), -1, **style)
    return drawn


def draw_label(image: np.ndarray, text: str) -> np.ndarray:
    """Return a copy of (H, W, 3) uint8 RGB ``image`` with ``text`` in its top left corner, light on dark.

    The font is matplotlib's DejaVu Sans, since OpenCV's have ASCII only: Latin, Greek, Cyrillic, Arabic and
    more, but no Chinese, Japanese or Korean.
    """
    from PIL import Image, ImageDraw

    drawn = Image.fromarray(image)
    size = _font_size(image.shape[1])
    font, pen = _font(size), ImageDraw.Draw(drawn)
    corner = (size // 2, size // 2)
    left, top, right, bottom = pen.textbbox(corner, text, font=font)
    margin = size // 4
    pen.rectangle((left - margin, top - margin, right + margin, bottom + margin), fill=_OUTLINE)
    pen.text(corner, text, font=font, fill=MIDDLE)
    return np.asarray(drawn).copy()


def draw_caption(image: np.ndarray, text: str) -> np.ndarray:
    """As :func:`draw_label`, but a sentence in a band below the picture, where it hides no hand; (H', W, 3), H' >= H.

    The band is as high as the sentence needs lines; a word wider than the picture goes on in the next line.
    """
    from PIL import Image, ImageDraw

    width, size = image.shape[1], _font_size(image.shape[1])
    font, margin = _font(size), size // 2
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    caption = "\n".join(_lines(text, lambda line: pen.textlength(line, font=font), width - 2 * margin))
    bottom = pen.multiline_textbbox((margin, margin), caption or "X", font=font)[3]
    band = Image.new("RGB", (width, round(bottom) + margin), _OUTLINE)
    ImageDraw.Draw(band).multiline_text((margin, margin), caption, font=font, fill=MIDDLE)
    return np.concatenate([image, np.asarray(band)])


def _lines(text: str, width: Callable[[str], float], most: float) -> list[str]:
    """The words of ``text`` in lines no wider than ``most``, if a letter is."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer) <= most:
            lines[-1] = longer
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = word
        while width(lines[-1]) > most and len(lines[-1]) > 1:
            fitting = max([n for n in range(1, len(lines[-1])) if width(lines[-1][:n]) <= most], default=1)
            lines[-1:] = [lines[-1][:fitting], lines[-1][fitting:]]
    return lines


def _font_size(width: int) -> int:
    """In pixels, for a picture so wide."""
    return max(10, round(width / 22))


def _font(size: int) -> Any:
    from matplotlib.font_manager import FontProperties, findfont
    from PIL import ImageFont

    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans")), size)


_FIRST_FACE = NUM_POSE + 2 * NUM_HAND


def _point_color(holistic_id: int) -> tuple[int, int, int]:
    if holistic_id >= _FIRST_FACE:
        return FACE
    if holistic_id >= NUM_POSE:
        return LEFT_HAND if holistic_id < NUM_POSE + NUM_HAND else RIGHT_HAND
    if holistic_id <= 10:  # nose, eyes, ears, mouth
        return MIDDLE
    return LEFT_ARM if holistic_id % 2 else RIGHT_ARM  # from the shoulders on, odd numbers are left


def _limb_color(a: int, b: int) -> tuple[int, int, int]:
    colors = {_point_color(a), _point_color(b)}
    return colors.pop() if len(colors) == 1 else MIDDLE


def draw_landmarks(
    image: np.ndarray, points: np.ndarray, landmarks: NamedLandmarks, confidence: np.ndarray | None = None
) -> np.ndarray:
    """Return a copy of ``image`` with named landmarks on it: a colour each, limbs thin, rings where they are unsure.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (V, 2) pixels, (0, 0) in the middle of the top left one; NaN = missing.
        confidence: (V,) in [0, 1]; below a half a point is a ring, and no limb leads there. None = all are sure.
    """
    import cv2

    drawn = np.ascontiguousarray(image).copy()
    there = np.isfinite(points).all(axis=1) & (np.abs(np.nan_to_num(points)) < _FAR * max(image.shape[:2])).all(axis=1)
    sure = there if confidence is None else there & (confidence >= _SURE)
    places = (np.where(there[:, None], points, 0) * 2**_SUBPIXEL_BITS).round().astype(int).tolist()
    radius = max(2.0, image.shape[1] / 160)
    thickness = max(1, round(radius / 3))
    style = {"lineType": cv2.LINE_AA, "shift": _SUBPIXEL_BITS}
    for a, b in landmarks.limb_index:
        if sure[a] and sure[b]:
            cv2.line(drawn, tuple(places[a]), tuple(places[b]), MIDDLE, thickness, **style)
    size = int(radius * 2**_SUBPIXEL_BITS)
    for v in np.flatnonzero(there):
        color = landmark_color(int(v))
        cv2.circle(drawn, tuple(places[v]), size, color if sure[v] else _OUTLINE, -1 if sure[v] else thickness, **style)
        cv2.circle(drawn, tuple(places[v]), size, _OUTLINE if sure[v] else color, 1, **style)
    return drawn


def landmark_color(number: int) -> tuple[int, int, int]:
    """RGB of the landmark that stands at ``number``; neighbours differ by the golden angle."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
