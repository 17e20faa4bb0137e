"""With which settings an extraction folder's files were made; one folder is for one setting."""

import json
from pathlib import Path
from typing import Any

from sign_recog.errors import DataError

SETTINGS = "extraction.json"


class OtherSettings(DataError):
    """The folder's files were made with other settings."""


def read_settings(path: Path) -> dict[str, Any] | None:
    """The description in the folder; None = there is none.

    Raises:
        DataError: If it is damaged.
    """
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _flat(before)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:  # no UTF-8, no JSON, or no object of settings
        raise DataError(f"{path}: is damaged ({error}). Delete it and run the command again.") from error
    return before


def refuse_others(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise OtherSettings, naming the differences, unless the files at hand were made as they would be now."""
    old, new = _flat(before), _flat(now)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        raise OtherSettings(
            f"{path}: the files in this folder were made with other settings: "
            + "; ".join(f"{name} was {old.get(name)}, is now {new.get(name)}" for name in names)
            + f". Set them back, give another paths.data_root, or delete {path.parent} to extract again."
        )


def _flat(description: dict[str, Any]) -> dict[str, Any]:
    """By the names that the command line has."""
    own = {f"extractor.{k}" if k in ("layout", "weights") else k: v for k, v in description.items() if k != "options"}
    return own | {f"extractor.{k}": v for k, v in description.get("options", {}).items()}
