"""Features as most programs save them: one array (T, D) a clip in ``.npy``, ``.npz`` or torch's ``.pt``; no times."""

from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats import ssvp_slt
from sign_recog.formats.base import given_meta
from sign_recog.storage.features import FeatureSequence, read_features
from sign_recog.storage.sequences import UNREADABLE_NPZ

SUFFIXES = (".npy", ".npz", ".pt")
_NAME = "features"  # of the array in an .npz with several


def read(path: Path, *, clip_id: str, step_ms: float | None = None) -> FeatureSequence:
    """Read one file; float16 stays, other floats become float32. An array (D,) is one vector.

    Of an ``.npz`` its array ``features`` is read, or its only one; one that this project wrote keeps its own times.

    Args:
        step_ms: From one vector to the next; None = not known, and the times are 0, 1, 2 ...

    Raises:
        DataError: If the file is missing or damaged, or holds no finite vectors.
    """
    step = 1.0 if step_ms is None else step_ms
    if path.suffix.lower() == ".pt":
        return ssvp_slt.read(path, clip_id=clip_id, token_ms=step, window_tokens=1, window_ms=step)
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                features = loaded
            elif {"timestamps_ms", "meta"} & set(loaded.files):
                return read_features(path)
            elif _NAME in loaded.files or len(loaded.files) == 1:
                features = loaded[_NAME if _NAME in loaded.files else loaded.files[0]]
            else:
                held = ", ".join(loaded.files) or "nothing"
                raise DataError(f"{path}: holds {held}, and no array {_NAME!r}. Call the one to read so.")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Extract the clip, or leave it out.") from error
    except UNREADABLE_NPZ as error:
        raise DataError(f"{path}: cannot be read as arrays without pickled objects ({error}). {_REMEDY}") from error
    if features.dtype.kind != "f" or features.ndim not in (1, 2) or not features.size:
        raise DataError(f"{path}: holds {features.dtype} {features.shape}, expected float (T, D) or (D,). {_REMEDY}")
    if not np.isfinite(features).all():
        raise DataError(f"{path}: holds values that are not finite. {_REMEDY}")
    features = np.atleast_2d(features if features.dtype == np.float16 else features.astype(np.float32))
    times = np.round(np.arange(len(features)) * step).astype(np.int64)
    return FeatureSequence(features, times, given_meta(path, clip_id, step_ms=step_ms))


_REMEDY = "Extract it again, or leave it out."
