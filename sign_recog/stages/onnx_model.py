"""A network as an ONNX file that takes batches of any size and length, and the check that it computes the same."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError, SignRecogError

OPSET = 18  # the lowest that PyTorch's exporter writes, for the sake of older runtimes
INPUTS = ("sequence", "padding_mask", "language")  # the last only where the network knows several languages
_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
# (batch, frames) of the check; frames (B, T, 3, H, W) cost more than vectors (B, T, D).
_SIZES = {3: ((1, 1), (1, 64), (2, 7), (5, 33), (8, 128), (3, 300)), 5: ((1, 1), (2, 5), (3, 8))}


def require_onnx() -> None:
    """Refuse to begin what cannot be ended.

    Raises:
        ConfigError: If a package of the extra ``export`` is missing.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"run=export needs {', '.join(missing)}, which is not installed. Run: pip install 'sign-recog[export]'"
        )


def write_onnx(path: Path, network: nn.Module, example: dict[str, Tensor]) -> None:
    """Write ``network``, on the CPU and in evaluation mode, with ``batch`` and ``frames`` left open.

    Args:
        example: The network's inputs by their names, as many of INPUTS as it needs; their sizes do not matter.

    Raises:
        SignRecogError: If PyTorch cannot trace the network.
    """
    most = getattr(network, "num_frames", None)  # a network over frames and time reads no longer clips
    batch, frames = torch.export.Dim("batch"), torch.export.Dim("frames", max=most)
    # An example of one clip or one frame would be taken for a network that reads no other number.
    clips = {name: torch.cat([values, values]) for name, values in example.items()}
    axes = {name: {0: batch} if name == "language" else {0: batch, 1: frames} for name in clips}
    flat = _Flat(_with_onnx_grus(network)).eval()
    try:
        with _quiet():
            torch.onnx.export(
                flat,
                tuple(clips.values()),
                str(path),
                dynamo=True,
                input_names=list(clips),
                output_names=_outputs(network, clips),
                dynamic_shapes=(tuple(axes.values()),),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except SignRecogError:
        raise
    except Exception as error:  # whatever PyTorch's tracer meets in a network
        raise _cannot(network, str(error)) from error


def largest_difference(path: Path, network: nn.Module, example: dict[str, Tensor]) -> float:
    """Largest absolute difference between the logits of the file and of ``network``, over random padded batches.

    Raises:
        SignRecogError: If the file cannot be run on every batch size and length.
    """
    import onnxruntime

    rng, flat = np.random.default_rng(0), _Flat(network).eval()
    worst = 0.0
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for num_clips, num_frames in _SIZES[example["sequence"].ndim]:
            batch = _random_batch(rng, example, num_clips, min(num_frames, getattr(network, "num_frames", num_frames)))
            with torch.inference_mode():
                expected = flat(*(torch.from_numpy(values) for values in batch.values()))
            found = session.run(None, batch)
            pairs = zip(expected, found, strict=True)
            worst = max(worst, *(float(np.abs(a.numpy() - b).max()) for a, b in pairs))
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise _cannot(network, str(error)) from error
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on its own work from the user; what matters comes as an error, or out of the check."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Flat(nn.Module):
    """A recognition network with its logits as a tuple."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(*inputs).values())


class _OnnxGRU(nn.Module):
    """A one-layer ``nn.GRU`` as ONNX's operator of that name.

    PyTorch's tracer unrolls a GRU over the frames of the example, and the file would read no other number of them.
    """

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.hidden_size = gru.hidden_size

        parameters = dict(gru.named_parameters())

        def reordered(name: str) -> Tensor:
            reset, update, new = parameters[f"{name}_l0"].detach().chunk(3)  # PyTorch's order; ONNX's has update first
            return torch.cat([update, reset, new])[None]

        self.input_weight, self.state_weight = (nn.Buffer(reordered(name)) for name in ("weight_ih", "weight_hh"))
        self.bias = nn.Buffer(torch.cat([reordered(name) for name in ("bias_ih", "bias_hh")], dim=1))

    def forward(self, sequence: Tensor) -> tuple[Tensor, None]:
        """(B, T, D) to the states (B, T, H); the last state, which nobody reads, is left out."""
        batch, frames, _ = sequence.shape
        states = torch.onnx.ops.symbolic(
            "GRU",
            (sequence.transpose(0, 1), self.input_weight, self.state_weight, self.bias),
            {"hidden_size": self.hidden_size, "linear_before_reset": 1},
            dtype=sequence.dtype,
            shape=(frames, 1, batch, self.hidden_size),
        )
        return states.squeeze(1).transpose(0, 1), None


def _with_onnx_grus(network: nn.Module) -> nn.Module:
    """A copy of ``network`` in which ONNX's operator stands for every GRU of one layer and direction."""
    copied = copy.deepcopy(network)
    for name, gru in network.named_modules():
        if isinstance(gru, nn.GRU) and gru.batch_first and gru.num_layers == 1 and not gru.bidirectional:
            parent, _, own = name.rpartition(".")
            setattr(copied.get_submodule(parent), own, _OnnxGRU(gru))
    return copied


def _outputs(network: nn.Module, inputs: dict[str, Tensor]) -> list[str]:
    with torch.inference_mode():
        return list(network(*inputs.values()))


def _random_batch(
    rng: np.random.Generator, example: dict[str, Tensor], num_clips: int, num_frames: int
) -> dict[str, np.ndarray]:
    """Inputs like ``example``'s, of clips of which the first is as long as the batch and others are shorter."""
    shape = (num_clips, num_frames, *example["sequence"].shape[2:])
    if example["sequence"].dtype == torch.uint8:
        sequence = rng.integers(0, 256, shape, dtype=np.uint8)
    else:
        sequence = rng.normal(size=shape).astype(np.float32)
    lengths = rng.integers(1, num_frames + 1, num_clips)
    lengths[0] = num_frames
    mask = np.arange(num_frames) >= lengths[:, None]
    sequence[mask] = 0
    batch = {"sequence": sequence, "padding_mask": mask}
    if "language" in example:
        batch["language"] = rng.integers(0, 2, num_clips)  # every such network knows two at least
    return batch


def _cannot(network: nn.Module, reason: str) -> SignRecogError:
    first = next((line for line in reason.splitlines() if line.strip()), "no reason given")
    return SignRecogError(
        f"{type(network).__name__} cannot be exported to ONNX: {first} Use another network, or report this with the "
        "network's settings."
    )
