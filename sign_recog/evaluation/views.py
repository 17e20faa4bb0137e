"""How often each clip was looked at when it was scored; scores of different views cannot be compared."""

from collections.abc import Mapping
from typing import Any

ONE = {"num_clips": 1, "num_crops": 1}


def views_of(data: Mapping[str, Any]) -> str:
    """The views that metrics.json records under ``data``: parts of a clip's time x parts of its picture.

    Scores of earlier versions record none, and are of one view.

    >>> views_of({"views": {"num_clips": 10, "num_crops": 3}}), views_of({})
    ('10x3', '1x1')
    """
    views = data.get("views") or ONE
    return f"{views['num_clips']}x{views['num_crops']}"
