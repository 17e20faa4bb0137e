"""Tokenizers on disk: ``tokenizers/<digest>/`` below a manifest's folder holds tokenizer.pt and tokenizer.json.

The digest is that of the settings and of the training text, so another text or setting has a folder of its own.
"""

import hashlib
import pickle
import pkgutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sign_recog.config.identity import digest
from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.text.base import Tokenizer

FILE = "tokenizer.pt"  # written last: its presence says that all is there
_SHARED = ("base", "glosses", "store", "truecase")  # modules of this package that hold no tokenizer


def read_tokenizer(state: dict[str, Any]) -> Tokenizer:
    """The tokenizer whose :meth:`Tokenizer.state` was ``state``.

    Raises:
        DataError: If there is no such kind, or something of it is missing or damaged.
    """
    kind = state.get("kind") if isinstance(state, dict) else None
    kinds = _kinds()
    if kind not in kinds:
        raise DataError(f"No kind of tokenizer is called {kind!r}; known: {', '.join(kinds)}.")
    try:
        tokenizer: Tokenizer = import_module(f"{__package__}.{kind}").read(state)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError, OSError) as error:
        raise DataError(f"The stored tokenizer ({kind}) is damaged: {type(error).__name__}: {error}.") from error
    return tokenizer


def _kinds() -> list[str]:
    package = import_module(__package__)
    return sorted(found.name for found in pkgutil.iter_modules(package.__path__) if found.name not in _SHARED)


def tokenizer_dir(folder: Path, settings: dict[str, Any], identity: Any, texts: Sequence[str]) -> Path:
    """Where the tokenizer of these settings and this training text lies.

    Args:
        folder: That of the manifest.
        identity: :meth:`sign_recog.text.base.Trainer.identity`.
    """
    return folder / "tokenizers" / digest([settings, identity, hash_of(texts)])


def hash_of(texts: Sequence[str]) -> str:
    """SHA-256 of the texts, in their order."""
    found = hashlib.sha256()
    for text in texts:
        content = text.encode()
        found.update(len(content).to_bytes(8, "big"))
        found.update(content)
    return found.hexdigest()


def write_tokenizer(folder: Path, tokenizer: Tokenizer, info: dict[str, Any]) -> None:
    """Write ``tokenizer`` and, for people, what made it."""
    import torch

    atomic.write_json(folder / "tokenizer.json", {"vocab_size": tokenizer.vocab_size, **info})
    with atomic.replaced(folder / FILE) as temporary:
        torch.save(tokenizer.state(), temporary)


def open_tokenizer(folder: Path) -> Tokenizer:
    """Read what :func:`write_tokenizer` wrote.

    Raises:
        DataError: If it is not there, or damaged.
    """
    import torch

    path = folder / FILE
    try:
        return read_tokenizer(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: no tokenizer of these settings and this training text. Run run=prepare with the same settings."
        ) from error
    except (DataError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: is damaged ({first}). Delete the folder and run run=prepare again.") from error
