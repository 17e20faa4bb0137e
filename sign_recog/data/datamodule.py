"""The loaders of a prepared corpus; ``train`` and ``val`` here, ``test`` only for ``run=evaluate``."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import DataLoader

from sign_recog.data.datasets import ClipDataset
from sign_recog.data.prefetch import PrefetchLoader
from sign_recog.data.readers import Copies, Reader, clip_path
from sign_recog.data.samplers import BucketBatchSampler
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import DataError
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.types import Batch


def build_dataset(
    corpus: PreparedCorpus,
    clips: Sequence[Clip],
    vocabulary: Vocabulary,
    reader: Reader,
    *,
    extractor: str,
    train: bool,
    augmentations: Sequence[Any] = (),
    seed: int = 0,
) -> ClipDataset:
    """Open the network inputs of ``clips`` (all of one split) and label them.

    Raises:
        DataError: If a label is unknown, or a file is damaged or does not fit the modality.
    """
    labels = vocabulary.encode(clips)
    copies = reader.open_copies(corpus, clips, extractor) if train else []
    sequences = Copies(copies) if copies else reader.open(corpus, clips, extractor)
    return ClipDataset(
        sequences,
        reader,
        [clip.clip_id for clip in clips],
        labels,
        train=train,
        augmentations=augmentations,
        seed=seed,
        num_copies=max(1, len(copies)),
    )


def build_loader(
    dataset: ClipDataset,
    *,
    batch_size: int,
    seed: int,
    shuffle: bool,
    bucketing: bool,
    num_workers: int,
    accumulate: int = 1,
    steps_per_round: int | None = None,
) -> DataLoader:
    """Batches of ``dataset`` as :class:`BucketBatchSampler` makes them; loader processes stay alive between epochs."""
    import torch

    lengths = dataset.sequences.lengths
    sampler = BucketBatchSampler(
        lengths,
        batch_size,
        seed=seed,
        shuffle=shuffle,
        bucketing=bucketing,
        accumulate=accumulate,
        steps_per_round=steps_per_round,
    )
    return PrefetchLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=_as_it_is,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def _as_it_is(batch: Any) -> Batch:
    """The data set makes whole batches itself."""
    return batch


def with_inputs(corpus: PreparedCorpus, split: str, reader: Reader, extractor: str) -> tuple[list[Clip], list[Clip]]:
    """The clips of ``split`` whose network input can be read, and those that were not extracted.

    Raises:
        DataError: If nothing of the split was extracted.
    """
    clips, folder = corpus.of_split(split), reader.folder(corpus, extractor)
    if not clips:
        raise DataError(f"{corpus.folder / 'manifest.tsv'}: has no clip in split {split}. See data.split.")
    if folder is None:
        return clips, []
    there = [clip for clip in clips if clip_path(folder, clip).exists()]
    if not there:
        raise DataError(
            f"{folder}: holds nothing of the {len(clips)} {split} clips. Run run={reader.modality.extraction} first."
        )
    found = {clip.clip_id for clip in there}
    return there, [clip for clip in clips if clip.clip_id not in found]
