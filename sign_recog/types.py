"""Shapes and records that several layers share.

Axes: B batch, T frames, N windows, V landmarks, C channels, D features,
G glosses, K categories, U tokens of a sentence. A mask's name or docstring says what True means.
"""

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from torch import Tensor

DOWNLOAD = "download"  # in the place of a file of weights: what the network's library publishes


class Batch(TypedDict):
    """Clips padded to the longest of them."""

    sequence: "Tensor"  # (B, T, D) float32, or frames (B, T, 3, H, W) uint8; zero where padded
    padding_mask: "Tensor"  # (B, T) bool, True = padding
    gloss: "Tensor"  # (B,) int64, index into the vocabulary's glosses
    category: "Tensor"  # (B,) int64, index into its categories; -1 = none
    language: "Tensor"  # (B,) int64, index into its languages; 0 where there is only one
    clip_id: list[str]


class SentenceBatch(TypedDict):
    """Clips and their sentences, padded to the longest of each."""

    sequence: "Tensor"  # (B, T, D) float32, or (B, T) int64 where it holds glosses
    padding_mask: "Tensor"  # (B, T) bool, True = padding
    labels: "Tensor"  # (B, U) int64 tokens, the end among them; -100 = padding
    index: list[int]  # of each clip in its data set
    clip_id: list[str]


class PoseBatch(TypedDict, total=False):
    """Labelled pictures of one size, and perhaps frames of an unlabelled video beside them."""

    frames: "Tensor"  # (B, 3, H, W) uint8 RGB, or (B, T, 3, H, W) with neighbours, the labelled one in the middle
    points: "Tensor"  # (B, V, 2) float32, x and y in pixels of frames, (0, 0) in the middle of the first; NaN = none
    to_original: "Tensor"  # (B, 2, 3) float32, from those pixels to pixels of the picture on the disk
    index: list[int]  # of each picture in its data set
    clip_id: list[str]  # frame_id of each picture, for messages
    video: "Tensor"  # (W, 3, H, W) uint8, consecutive frames without labels; absent where none are learned from
    video_to_original: "Tensor"  # (2, 3) float32


class Logits(TypedDict, total=False):
    """What every recognition network returns."""

    gloss_logits: "Tensor"  # (B, G)
    category_logits: "Tensor"  # (B, K), only with a category head
