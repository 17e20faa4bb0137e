"""Which part of a picture is seen, and at which size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

_LARGE_BYTES = 2**20  # of a part; many small ones are scaled together, which is twice as fast, and need little memory


@dataclass(frozen=True)
class Framing:
    """A box of a picture, and the square it is scaled into.

    Attributes:
        height, width: Of the whole picture, upright with square pixels.
        resize: Pixels of its shorter side, were it scaled as a whole.
        size: Pixels of the square, at most ``resize``.
        box: Top, left, height, width of the part that is seen, in the picture's pixels.
        mirrored: Whether left and right are exchanged.
        padded: Whether the box is scaled to fit in the square, with black beside it; else to fill it.
    """

    height: int
    width: int
    resize: int
    size: int
    box: tuple[int, int, int, int]
    mirrored: bool = False
    padded: bool = False

    @classmethod
    def centred(cls, height: int, width: int, *, resize: int, size: int) -> "Framing":
        """The middle ``size`` square of the picture, were it scaled to ``resize``."""
        return cls(height, width, resize, size, (0, 0, height, width)).cropped(0.5, 0.5)

    @classmethod
    def whole(cls, height: int, width: int, *, resize: int, size: int) -> "Framing":
        """The whole picture, with black beside it."""
        return cls(height, width, resize, size, (0, 0, height, width), padded=True)

    def cropped(self, down: float, right: float) -> "Framing":
        """The ``size`` square at a place from 0, the top or left, to 1, the bottom or right."""
        side = max(1, round(min(self.height, self.width) * self.size / self.resize))
        top, left = round(down * (self.height - side)), round(right * (self.width - side))
        return replace(self, box=(top, left, side, side), padded=False)

    def flipped(self) -> "Framing":
        """Left and right exchanged."""
        return replace(self, mirrored=not self.mirrored)

    @property
    def _shown(self) -> tuple[int, int]:
        """Height and width of the box in the square."""
        _, _, height, width = self.box
        if not self.padded:
            return self.size, self.size
        scale = self.size / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The box of ``image`` (H, W, 3) uint8, as a copy (h, w, 3) for :meth:`squares`; a large one scaled already."""
        top, left, height, width = self.box
        part = image[top : top + height, left : left + width]
        part = np.ascontiguousarray(part[:, ::-1] if self.mirrored else part)
        return part if part.nbytes <= _LARGE_BYTES else _scaled(part[None], self._shown)[0]

    def squares(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Return the ``parts`` (T of them) that :meth:`cut` gave as (T, 3, size, size) uint8."""
        content = _scaled(np.stack(parts), self._shown).transpose(0, 3, 1, 2)
        height, width = self._shown
        if (height, width) == (self.size, self.size):
            return np.ascontiguousarray(content)
        squares = np.zeros((len(parts), 3, self.size, self.size), np.uint8)
        above, before = (self.size - height) // 2, (self.size - width) // 2
        squares[:, :, above : above + height, before : before + width] = content
        return squares

    def square(self, image: np.ndarray) -> np.ndarray:
        """What is seen of one picture (H, W, 3) uint8, (size, size, 3): :meth:`squares` of it, but for rounding.

        A picture that is not large is scaled by Pillow, so that a process which only decodes need not load torch.
        """
        from PIL import Image

        top, left, height, width = self.box
        part, (shown_height, shown_width) = image[top : top + height, left : left + width], self._shown
        if (height, width) == (shown_height, shown_width):
            content = part
        elif part.nbytes > _LARGE_BYTES:
            content = _scaled(np.ascontiguousarray(part)[None], (shown_height, shown_width))[0]
        else:
            # Pillow takes a part of an array row by row, which would cost more than scaling it.
            scaled = Image.fromarray(np.ascontiguousarray(part)).resize(
                (shown_width, shown_height), Image.Resampling.BILINEAR
            )
            content = np.asarray(scaled)
        if self.mirrored:
            content = content[:, ::-1]
        if content.shape[:2] == (self.size, self.size):
            return content
        square = np.zeros((self.size, self.size, 3), np.uint8)
        above, before = (self.size - shown_height) // 2, (self.size - shown_width) // 2
        square[above : above + shown_height, before : before + shown_width] = content
        return square


def _scaled(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(T, H, W, 3) uint8 -> (T, *size, 3): bilinear, antialiased as what torchvision's networks were trained on."""
    import torch
    from torch.nn.functional import interpolate

    if images.shape[1:3] == size:
        return images
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    return interpolate(pixels, size, mode="bilinear", antialias=True).permute(0, 2, 3, 1).numpy()
