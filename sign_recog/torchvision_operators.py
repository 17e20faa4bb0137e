"""Make ``import torchvision`` work beside a CPU build of torch.

PyPI's torchvision wheel cannot load its compiled operators beside another build of torch, and then
fails on the first operator it describes ("operator torchvision::nms does not exist"). None of our
networks calls these operators. torchmetrics, which Lightning loads, imports torchvision.
"""

from typing import Any

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_library: Any = None  # a torch.library.Library; operators live as long as this does


def declare_missing() -> None:
    """Declare the operators' schemas unless torchvision's own library has defined them."""
    global _library
    if _library is not None or _torchvision_loads():
        return
    import torch

    _library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            _library.define(schema)


def _torchvision_loads() -> bool:
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        return False
    return True
