"""Drawing a signer: joints in, image out.

Everything is filled shapes with a light and a dark side, drawn at twice the size and averaged down. The contours of
the fingers and the creases across them are for MediaPipe: over 540 views of hands with folded fingers they raise the
share it detects from 95.2 % to 99.8 %.
"""

import numpy as np

from sign_recog.corpora.synthetic.canvas import CREASE, Canvas, oval, shade
from sign_recog.corpora.synthetic.signer import Colour, Signer

_OVERSAMPLING = 2
_FRAME_COLOUR = (36, 36, 40)  # of glasses
# Radii in shoulder widths.
_SHOULDER, _ELBOW, _WRIST = 0.145, 0.115, 0.085
# Radii at the joints, in hand lengths: the thumb's 1 to 4, then the four of each finger.
_THUMB_RADII = np.array([0.075, 0.066, 0.056, 0.045])
_FINGER_RADII = np.array([0.054, 0.049, 0.045, 0.037]) * np.array([[1.0], [1.0], [0.97], [0.86]])


class Renderer:
    """Draws the frames of one signer.

    Args:
        signer: Who to draw.
        image_size: Width and height of the image in pixels.
    """

    def __init__(self, signer: Signer, image_size: int) -> None:
        self.signer = signer
        self.image_size = image_size
        self._size = image_size * _OVERSAMPLING
        self._unit = signer.shoulder_px_share * self._size  # pixels in a shoulder width
        self._wall = _paint_wall(signer.wall, self._size)
        self._light = _light(image_size)

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Turn points (..., 3) of a Motion into image widths; x and y from the image's top left corner."""
        scaled = points * self.signer.shoulder_px_share
        scaled[..., :2] += self.signer.centre
        return scaled

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Where :meth:`draw` shows points (..., 3) of a Motion: (..., 2) pixels, (0, 0) in the middle of the first.

        OpenCV draws about the middles of the finer pixels, so all is shown half of one of those further right and down.
        """
        return self.to_image(points)[..., :2] * self.image_size - 0.5 + 0.5 / _OVERSAMPLING

    def draw(self, pose: np.ndarray, hands: np.ndarray) -> np.ndarray:
        """Return the image (H, W, 3) uint8 RGB of one frame: pose (33, 3) and hands (2, 21, 3) of a Motion."""
        import cv2

        image = self._wall.copy()
        canvas = Canvas(image)
        body = self.to_image(pose)[:, :2] * self._size
        joints = self.to_image(hands)[..., :2] * self._size
        self._draw_torso_and_head(canvas, body)
        for side in np.argsort(-hands[:, 0, 2]):  # the farther arm first
            self._draw_arm(canvas, body[11 + side], body[13 + side], body[15 + side])
            self._draw_hand(canvas, joints[side], hands[side, :, 2])
        small = cv2.resize(image, (self.image_size, self.image_size), interpolation=cv2.INTER_AREA)
        return cv2.multiply(cv2.GaussianBlur(small, (3, 3), 0.5), self._light, scale=1 / 255)

    def _draw_torso_and_head(self, canvas: Canvas, body: np.ndarray) -> None:
        signer, unit = self.signer, self._unit
        skin, shirt = signer.skin, signer.shirt
        middle = (body[11] + body[12]) / 2
        head = _Head(body, signer, unit)
        head.draw_back(canvas)
        hip = signer.hips_half + 0.12
        trunk = [(0.17, -0.20), (0.27, -0.145), (0.44, -0.10), (0.55, -0.04), (0.61, 0.08), (0.60, 0.28), (0.50, 0.45)]
        side = np.array([*trunk, (0.46, 0.8), (hip, 1.5), (hip + 0.05, 2.2)])  # from the neck to below the hip
        canvas.polygon(middle + unit * np.concatenate([side, side[::-1] * (-1, 1)]), shirt)
        lower = side[5:]
        canvas.polygon(middle + unit * np.concatenate([lower, lower[::-1] * (0.75, 1)]), shade(shirt, 0.88))
        canvas.polygon(middle + unit * oval(0.185, 0.13, centre=(0, -0.19)), shade(shirt, 0.75))
        canvas.polygon(middle + unit * oval(0.165, 0.105, centre=(0, -0.20)), shade(skin, 0.84))
        neck = np.array([(-1, -0.5), (1, -0.5), (1, -0.25), (1.1, -0.2), (-1.1, -0.2), (-1, -0.25)])
        canvas.polygon(middle + unit * neck * (0.62 * signer.head_half[0], 1), shade(skin, 0.84))
        throat = np.array([(-1, -0.5), (1, -0.5), (1, -signer.neck + 0.03), (0, -signer.neck + 0.1)])
        throat = np.concatenate([throat, [(-1, -signer.neck + 0.03)]]) * (0.62 * signer.head_half[0], 1)
        canvas.polygon(middle + unit * throat, shade(skin, 0.72))  # the chin's shadow
        head.draw_face(canvas)

    def _draw_arm(self, canvas: Canvas, shoulder: np.ndarray, elbow: np.ndarray, wrist: np.ndarray) -> None:
        signer = self.signer
        sleeve = shade(signer.shirt, 1.08)
        thick, middling, thin = self._unit * np.array([_SHOULDER, _ELBOW, _WRIST])
        canvas.limb(shoulder, elbow, np.array([thick, 1.1 * middling]), sleeve)
        if signer.long_sleeves:
            cuff = elbow + 0.92 * (wrist - elbow)
            canvas.limb(cuff, wrist, np.array([thin, thin]), signer.skin)
            canvas.limb(elbow, cuff, np.array([middling, 1.15 * thin]), sleeve)
        else:
            canvas.limb(elbow, wrist, np.array([middling, thin]), signer.skin)

    def _draw_hand(self, canvas: Canvas, points: np.ndarray, depth: np.ndarray) -> None:
        """Draw a hand from its joints: points (21, 2) in pixels, depth (21,) away from the camera."""
        skin, length = self.signer.skin, self.signer.hand * self._unit
        crease, thickness = shade(skin, CREASE), 0.016 * length
        across = points[17] - points[5]
        corners = np.stack([points[0] - 0.2 * across, points[0] + 0.2 * across, *points[[5, 9, 13, 17]]])
        palm = (corners[:, None] + oval(0.055 * length, 0.055 * length, num_points=12)).reshape(-1, 2)
        # Nearer parts are drawn over farther ones; straight fingers count as nearer than the palm.
        parts = [(depth[[0, 5, 17]].mean() + 0.01, -1)]
        parts += [(depth[1 + 4 * i : 5 + 4 * i].mean(), i) for i in range(5)]
        for _, part in sorted(parts, reverse=True):
            if part < 0:
                canvas.hull(palm, skin, thickness)
                canvas.curve(_mix(points, {5: 0.7, 1: 0.3}, {0: 0.6, 13: 0.4}, {0: 0.9, 17: 0.1}), crease, thickness)
                canvas.curve(_mix(points, {5: 0.8, 0: 0.2}, {9: 0.6, 0: 0.4}, {17: 0.6, 0: 0.4}), crease, thickness)
            else:
                radii = (_THUMB_RADII if part == 0 else _FINGER_RADII[part - 1]) * length
                canvas.finger(points[1 + 4 * part : 5 + 4 * part], radii, skin, thickness)


class _Head:
    """The face and hair; coordinates are shares of the face's half width and half height."""

    def __init__(self, body: np.ndarray, signer: Signer, unit: float) -> None:
        self.signer = signer
        self._middle = (body[7] + body[8]) / 2
        across = (body[7] - body[8]) / np.linalg.norm(body[7] - body[8])
        self._axes = np.stack([across, [-across[1], across[0]]]) * np.array(signer.head_half)[:, None] * unit
        self._thin = 0.02 * signer.head_half[1] * unit

    def _at(self, points: np.ndarray) -> np.ndarray:
        return self._middle + points @ self._axes

    def draw_back(self, canvas: Canvas) -> None:
        """Draw the hair behind the neck."""
        hair = self.signer.hair
        if self.signer.hair_style == "long":
            canvas.polygon(self._at(oval(1.28, 1.2, centre=(0, -0.1))), shade(hair, 0.85))
            fall = np.array([(-1.28, -0.1), (1.28, -0.1), (1.34, 1.1), (1.1, 1.5), (-1.1, 1.5), (-1.34, 1.1)])
            canvas.polygon(self._at(fall), shade(hair, 0.85))
        if self.signer.hair_style == "bun":
            canvas.polygon(self._at(oval(0.45, 0.36, centre=(0, -1.32))), shade(hair, 0.9))

    def draw_face(self, canvas: Canvas) -> None:
        """Draw the head itself."""
        signer, thin = self.signer, self._thin
        skin, hair = signer.skin, signer.hair
        dark = shade(skin, 0.70)
        if signer.hair_style != "cropped":
            canvas.polygon(self._at(oval(1.10, 0.85, centre=(0, -0.40))), hair)
        for x in (-1.0, 1.0):
            canvas.polygon(self._at(oval(0.13, 0.20, centre=(x, 0.06))), shade(skin, 0.85))
        face = oval(1, 1, num_points=40)
        face[:, 0] *= 1 - 0.16 * np.clip(face[:, 1], 0, 1) ** 2  # the jaw is narrower than the brow
        canvas.polygon(self._at(face), skin)
        canvas.polygon(self._at(face * (0.84, 0.9) + (-0.08, -0.03)), shade(skin, 1.04))
        angle = np.linspace(1.02 * np.pi, 1.98 * np.pi, 20)
        top = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        rim = top * (1.01 if signer.hair_style == "cropped" else 1.08)
        canvas.polygon(self._at(np.concatenate([rim, top[::-1] * (0.94, 0.36) + (0, -0.40)])), hair)
        for x in (-0.42, 0.42):
            self._draw_eye(canvas, x, dark)
        if signer.glasses:
            canvas.curve(self._at(np.array([(-0.12, -0.1), (0.12, -0.1)])), _FRAME_COLOUR, 1.2 * thin)
        canvas.curve(self._at(np.array([(0.10, -0.1), (0.12, 0.12), (0.16, 0.27), (0.05, 0.32)])), dark, thin)
        canvas.curve(self._at(np.array([(-0.15, 0.28), (-0.08, 0.33), (0, 0.345), (0.08, 0.33)])), dark, thin)
        lips = (round(skin[0] * 0.86), round(skin[1] * 0.58), round(skin[2] * 0.58))
        canvas.polygon(self._at(oval(0.33, 0.085, centre=(0, 0.56))), lips)
        canvas.curve(self._at(np.array([(-0.32, 0.555), (0.32, 0.555)])), shade(lips, 0.6), thin)

    def _draw_eye(self, canvas: Canvas, x: float, dark: Colour) -> None:
        centre = (x, -0.09)
        canvas.polygon(self._at(oval(0.20, 0.085, centre=centre)), (246, 246, 244))
        canvas.polygon(self._at(oval(0.095, 0.082, centre=centre)), (58, 40, 28))
        canvas.polygon(self._at(oval(0.045, 0.038, centre=centre)), (16, 12, 12))
        arch = np.linspace(-1, 1, 7)
        arch = np.stack([arch, -np.cos(1.5 * arch)], axis=-1)
        canvas.curve(self._at(arch * (0.22, 0.08) + centre), dark, self._thin)
        canvas.curve(self._at(arch * (0.27, 0.06) + (x, -0.27)), shade(self.signer.hair, 0.8), 2.2 * self._thin)
        if self.signer.glasses:
            canvas.curve(self._at(oval(0.31, 0.19, centre=centre)), _FRAME_COLOUR, 1.2 * self._thin, closed=True)


def _mix(points: np.ndarray, *shares: dict[int, float]) -> np.ndarray:
    """Return points (N, 2), each a weighted mean of the joints ``points``."""
    return np.stack([sum(share * points[joint] for joint, share in weights.items()) for weights in shares])


def _paint_wall(colour: Colour, size: int) -> np.ndarray:
    """Return a plain wall (H, W, 3) uint8, darker towards the floor."""
    fall = np.linspace(1.06, 0.84, size)[:, None, None]
    wall = np.clip(np.array(colour) * fall, 0, 255)
    return np.ascontiguousarray(np.broadcast_to(wall, (size, size, 3))).astype(np.uint8)


def _light(size: int) -> np.ndarray:
    """Return a factor per pixel (H, W, 3), uint8 with 255 = 1: light from the upper left."""
    y, x = np.mgrid[0:size, 0:size] / size
    far = np.hypot(x - 0.35, y - 0.25)
    factor = np.clip(1.0 - 0.22 * far**2, 0, 1)
    return np.repeat((255 * factor)[..., None], 3, axis=2).astype(np.uint8)
