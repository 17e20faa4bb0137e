"""Image networks of timm as the beginning of a tracker: a picture in, maps of features at several scales out."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pixels import NormalizePixels
from sign_recog.models.pretrained import Published, start_from

FINEST = 4  # input pixels a pixel of the finest map that is used
_FLATTENED = re.compile(r"^([a-z]+)_(\d+)\.")  # timm's lists of features call stages.0 stages_0


class ImageBackbone(nn.Module):
    """A network of timm without its classifier, which begins with the bytes of pictures.

    Maps have their channels last in memory, as convolutions of CPUs and GPUs like it best, if the weights have.

    Args:
        name: Of timm, such as ``resnet18``, ``efficientnet_b0`` or ``vit_tiny_patch16_224``.
        weights: File of a state dict of timm's network (its classifier may be in it; torchvision's ResNets have the
            same names), ``download`` for those that timm publishes, or None = random weights.
        height, width: Of the pictures.
        every_scale: Give the last map of every scale, or only of the coarsest.

    Attributes:
        channels, strides: Of each map, the finest first; a stride is the input pixels a pixel of the map.
        pretrained: Where the weights come from; "" = random.

    Shapes:
        frames: (B, 3, H, W) uint8, RGB. Returns maps (B, ``channels[i]``, H / ``strides[i]``, W / ``strides[i]``).

    Raises:
        ConfigError: If timm lacks the network, or it makes no maps of such pictures.
        CheckpointError: If the weights cannot be had, or do not fit.
    """

    def __init__(self, name: str, weights: str | None, height: int, width: int, *, every_scale: bool) -> None:
        super().__init__()
        timm = _timm()
        sized: dict[str, Any] = {}
        probe = _without_weights(timm, name, features_only=True)
        if hasattr(getattr(probe, "model", probe), "patch_embed"):  # Transformers are made for one size of pictures
            sized = {"img_size": (height, width)}
            probe = _without_weights(timm, name, features_only=True, **sized)
        shapes = _shapes(probe, name, height, width)
        # The last map of a scale has seen the most.
        last = {s: place for place, shape in enumerate(shapes) if (s := _stride(shape, height, width)) is not None}
        if not last:
            found = ", ".join(f"{one[3]}x{one[2]}" for one in shapes)
            raise ConfigError(
                f"model.backbone={name} makes maps of {found} of pictures of {width}x{height}, and a tracker needs one "
                f"of a {FINEST}th of both sides, or of a half, a quarter, ... of that. Use another network of timm, or "
                "other modality.image_height and modality.image_width."
            )
        self.strides = sorted(last) if every_scale else [max(last)]
        self.channels = [shapes[last[stride]][1] for stride in self.strides]
        indices = [probe.feature_info.out_indices[last[stride]] for stride in self.strides]
        published = timm.models.get_pretrained_cfg(name)
        self.normalize = NormalizePixels(published.mean, published.std)
        self.net = timm.create_model(name, pretrained=False, features_only=True, out_indices=indices, **sized)
        self._colours_last = _colours_last(self.net)
        self.pretrained = (
            start_from(
                self,
                weights,
                without=(),
                published=_published(timm, name, sized),
                rename=lambda given: _renamed(given, self.net, _without_weights(timm, name, **sized)),
            )
            or ""
        )

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Shapes as above."""
        maps = self.net(self.normalize(frames).contiguous(memory_format=torch.channels_last))
        return [one.permute(0, 3, 1, 2) for one in maps] if self._colours_last else maps


def channels_last(network: nn.Module) -> None:
    """Lay the weights of convolutions in memory with their channels last: a step takes a tenth less time on a CPU."""
    moving: Any = network  # torch's types leave out that memory_format may come alone
    moving.to(memory_format=torch.channels_last)


def _timm() -> Any:
    from sign_recog.torchvision_operators import declare_missing

    declare_missing()
    try:
        import timm
    except ImportError as error:
        raise ConfigError("Trackers need the library timm. Install it: pip install 'timm>=1,<2'.") from error
    return timm


def _without_weights(timm: Any, name: str, **settings: Any) -> Any:
    """The network with names and shapes only: made in no time, and no random numbers are drawn.

    Raises:
        ConfigError: If timm lacks it, or it cannot give its maps.
    """
    if not timm.is_model(name.split(".", maxsplit=1)[0]):
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.6)
        raise ConfigError(
            f"model.backbone={name}: timm has no such network. "
            + (f"Did you mean {', '.join(near)}?" if near else "timm.list_models() lists those it has.")
        )
    try:
        with torch.device("meta"):
            return timm.create_model(name, pretrained=False, **settings).eval()
    except Exception as error:  # a network may refuse what is asked by any error
        raise ConfigError(
            f"model.backbone={name}: timm cannot make it for maps of features ({_first_line(error)}). Use another."
        ) from error


def _shapes(probe: nn.Module, name: str, height: int, width: int) -> list[Sequence[int]]:
    """(1, C, h, w) of every map."""
    try:
        with torch.device("meta"):
            shapes: list[Sequence[int]] = [tuple(one.shape) for one in probe(torch.zeros(1, 3, height, width))]
    except Exception as error:  # as above
        raise ConfigError(
            f"model.backbone={name} does not read pictures of {width}x{height} ({_first_line(error)}). Use other "
            "modality.image_height and modality.image_width, or another network."
        ) from error
    return [(n, c, h, w) for n, h, w, c in shapes] if _colours_last(probe) else shapes


def _stride(shape: Sequence[int], height: int, width: int) -> int | None:
    """Input pixels a pixel; None where the map is of no use."""
    stride = height // shape[2]
    usable = shape[2] * stride == height and shape[3] * stride == width
    return stride if usable and stride >= FINEST and stride & (stride - 1) == 0 else None


def _colours_last(net: Any) -> bool:
    return str(getattr(net, "output_fmt", "")).endswith("NHWC")


def _published(timm: Any, name: str, sized: dict[str, Any]) -> Published | None:
    """What timm publishes of a network; its own functions fit it to another size of pictures."""
    known = timm.models.get_pretrained_cfg(name)
    if not known.has_weights:
        return None
    fetch: Callable[[str], Mapping[str, Any]] = lambda _: timm.create_model(name, pretrained=True, **sized).state_dict()  # noqa: E731
    return Published(known.hf_hub_id or known.url, fetch)


def _renamed(given: Mapping[str, Tensor], net: nn.Module, whole: Any) -> dict[str, Tensor]:
    """A file's names as :class:`ImageBackbone` has them; what only the whole network has is left out."""
    found: dict[str, Tensor] = {}
    rest = dict(given)
    for name, own in net.state_dict().items():
        flat = name.removeprefix("model.")
        source = next((n for n in (name, flat, _FLATTENED.sub(r"\1.\2.", flat)) if n in rest), None)
        if source is None:
            continue
        value = rest.pop(source)
        if name.endswith("pos_embed") and value.shape != own.shape:
            from timm.layers import resample_abs_pos_embed

            prefix = getattr(whole, "num_prefix_tokens", 0)
            value = resample_abs_pos_embed(value, list(whole.patch_embed.grid_size), num_prefix_tokens=prefix)
        found[f"net.{name}"] = value
    others = {name: value for name, value in rest.items() if name not in whole.state_dict()}
    return found | others


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
