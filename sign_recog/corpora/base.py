"""What a corpus reader hands to ``run=prepare``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.labelled_frames import LabelledFrames
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence


@dataclass(frozen=True)
class LeftOut:
    """An annotated clip that cannot be used.

    Attributes:
        reason: The sort of trouble, a few words that other clips share: what the table of coverage counts.
        detail: What is wrong with this one; empty where the reason says it all.
    """

    clip: Clip
    reason: str
    detail: str = ""


@dataclass
class Corpus:
    """The clips of a corpus, and where its data are.

    A reader is a function ``read(source, out_dir, **settings) -> Corpus`` named by ``data.corpus._target_``.

    Attributes:
        clips: One a labelled span; ``split`` is empty where the annotation gives none.
        video_dir: The folder that ``Clip.video`` is relative to; None = the corpus has no videos.
        keypoints: For corpora that come as arrays: a clip's landmarks, written by ``run=prepare``.
        features: The same for vectors of a frozen network or a sensor; a corpus may have both.
        gloss_ids, category_ids: Number -> name, where the annotation numbers its labels; data.glosses and
            data.categories may then name either, and a name wins over a number.
        notes: What the user should know, one sentence each (an assumption made, rows left out).
        left_out: Annotated clips that are not among ``clips``, one reason each; None = the reader does not look.
        num_frames: clip_id -> frames in its span, where the reader has counted them.
        augmented: Copy (1, 2, ...) -> as ``features``, of the train clips changed at random, where a corpus has such.
        frames: Labelled pictures, to train a landmark detector on; ``clips`` are then its unlabelled videos. A picture
            that is a frame of a video may not be there yet: ``run=prepare`` takes it out.
        image_dir: The user's folder that their pictures lie in; None = all are taken out of videos, or drawn.
        frames_left_out: (frame, reason) of labelled frames that are not among them.
        noticed: What the user should know after the files that come with the corpus are read, one sentence each.
    """

    clips: list[Clip]
    video_dir: Path | None = None
    keypoints: Callable[[Clip], KeypointSequence] | None = None
    features: Callable[[Clip], FeatureSequence] | None = None
    gloss_ids: dict[str, str] = field(default_factory=dict)
    category_ids: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: list[LeftOut] | None = None
    num_frames: dict[str, int] = field(default_factory=dict)
    augmented: Mapping[int, Callable[[Clip], FeatureSequence]] = field(default_factory=dict)
    frames: LabelledFrames | None = None
    image_dir: Path | None = None
    frames_left_out: list[tuple[str, str]] = field(default_factory=list)
    noticed: Callable[[], list[str]] = list
