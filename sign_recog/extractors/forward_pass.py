"""How a frozen network computes: without gradients, in its precision, and with errors that say what to set."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sign_recog.errors import ConfigError, SignRecogError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("32", "bf16", "fp16")


@contextmanager
def forward_pass(device: "torch.device", precision: str, *, name: str, batch_size: int) -> Iterator[None]:
    """Compute in ``precision``, which is "32", "bf16" or "fp16"; it holds for this thread.

    Raises:
        SignRecogError: If the device's memory is too small, or torch.compile cannot translate the network.
    """
    import torch

    low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    try:
        with torch.inference_mode(), _exact_float32(), torch.autocast(device.type, low, enabled=low is not None):
            yield
    except torch.OutOfMemoryError as error:
        raise SignRecogError(
            f"extractor.batch_size={batch_size}: {device} has not enough memory. Use a smaller one."
        ) from error
    except _compile_errors() as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines[:2]) or type(error).__name__  # "backend='inductor' raised:" and what it raised
        raise SignRecogError(
            f"extractor.compile=true: torch.compile cannot translate {name} here ({reason}). "
            "Use extractor.compile=false."
        ) from error


def _compile_errors() -> tuple[type[Exception], ...]:
    """What torch.compile raises; nothing where it was not used, since its modules take a second to import."""
    compiler: Any = sys.modules.get("torch._dynamo.exc")
    return () if compiler is None else (compiler.TorchDynamoException,)


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Let cuDNN compute float32 convolutions in float32: TF32, its default, has a mantissa of 10 bits."""
    import torch

    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before, convolutions.fp32_precision = convolutions.fp32_precision, "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before


def chosen_device(name: str) -> "torch.device":
    """What ``extractor.device`` means here: "auto" = CUDA where there is a GPU, else the CPU.

    Raises:
        ConfigError: If there is no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: a build of torch without CUDA
        reason = str(error).splitlines()[0]
        raise ConfigError(f"extractor.device={name} cannot be used ({reason}). Use auto or cpu.") from error
    return device
