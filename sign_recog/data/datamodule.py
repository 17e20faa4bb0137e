"""The loaders of a prepared corpus; ``train`` and ``val`` here, ``test`` only for ``run=evaluate``."""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import DataLoader

from sign_recog.config.identity import digest
from sign_recog.config.schema import ModalityConfig
from sign_recog.data.datasets import KeypointDataset, collate
from sign_recog.data.preprocessing import KeypointPreprocessor
from sign_recog.data.samplers import BucketBatchSampler
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import DataError
from sign_recog.landmarks.augment import Augmentation
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.storage.packed import open_packed


def build_dataset(
    corpus: PreparedCorpus,
    clips: Sequence[Clip],
    vocabulary: Vocabulary,
    modality: ModalityConfig,
    *,
    extractor: str,
    augmentations: Sequence[Augmentation] = (),
    seed: int = 0,
) -> KeypointDataset:
    """Pack the keypoints of ``clips`` (all of one split) and label them.

    Raises:
        DataError: If a label is unknown, or a keypoint file is damaged or of another layout.
    """
    glosses, categories = vocabulary.encode(clips)
    folder = corpus.keypoints_dir(extractor)
    preprocessor = KeypointPreprocessor(modality)
    sources = [keypoint_path(folder, clip) for clip in clips]
    name = f"{clips[0].split}-{digest([vars(modality), extractor])}"
    packed = open_packed(corpus.folder / "cache", name, sources, preprocessor.read)
    ids = [clip.clip_id for clip in clips]
    return KeypointDataset(packed, preprocessor, ids, glosses, categories, augmentations=augmentations, seed=seed)


def build_loader(
    dataset: KeypointDataset, *, batch_size: int, seed: int, shuffle: bool, bucketing: bool, num_workers: int
) -> DataLoader:
    """Batches of ``dataset``; loader processes stay alive between epochs."""
    import torch

    sampler = BucketBatchSampler(dataset.packed.lengths, batch_size, seed=seed, shuffle=shuffle, bucketing=bucketing)
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def keypoint_path(folder: Path, clip: Clip) -> Path:
    """Where a clip's keypoints lie in an extraction's folder."""
    return folder / f"{clip.clip_id}.npz"


def with_keypoints(corpus: PreparedCorpus, split: str, extractor: str) -> tuple[list[Clip], list[Clip]]:
    """The clips of ``split`` that have keypoints, and those that have none.

    Raises:
        DataError: If no clip of the split has keypoints.
    """
    clips, folder = corpus.of_split(split), corpus.keypoints_dir(extractor)
    if not clips:
        raise DataError(f"{corpus.folder / 'manifest.tsv'}: has no clip in split {split}. See data.split.")
    there = [clip for clip in clips if keypoint_path(folder, clip).exists()]
    if not there:
        raise DataError(f"{folder}: holds no keypoints of the {len(clips)} {split} clips. Run run=extract_keypoints.")
    found = {clip.clip_id for clip in there}
    return there, [clip for clip in clips if clip.clip_id not in found]
