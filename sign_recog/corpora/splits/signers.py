"""Who signs what, as the strategies count it that keep signers apart."""

from collections.abc import Sequence

import numpy as np

from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip


def count_by_signer(
    clips: Sequence[Clip], strategy: str, *, at_least: int, remedy: str
) -> tuple[list[str], np.ndarray]:
    """Return the signers, sorted, and how many clips of each gloss (sorted) each has: (S, G) int64.

    Args:
        remedy: What to do where there are too few signers.

    Raises:
        DataError: If clips have no signer, or there are fewer than ``at_least`` signers.
    """
    nameless = [clip.clip_id for clip in clips if not clip.signer]
    if nameless:
        raise DataError(
            f"{len(nameless)} of {len(clips)} clips have no signer ({', '.join(nameless[:3])}), so "
            f"data.split.strategy={strategy} is impossible. Add the signer to the annotation, or use "
            f"{'kfold' if strategy == 'kfold_signer' else 'random'}."
        )
    signers, glosses = sorted({clip.signer for clip in clips}), sorted({clip.gloss for clip in clips})
    if len(signers) < at_least:
        raise DataError(f"Only {len(signers)} signers ({', '.join(signers)}): {strategy} needs {at_least}. {remedy}")
    row, column = ({name: i for i, name in enumerate(names)} for names in (signers, glosses))
    counts = np.zeros((len(signers), len(glosses)), np.int64)
    np.add.at(counts, ([row[clip.signer] for clip in clips], [column[clip.gloss] for clip in clips]), 1)
    return signers, counts
