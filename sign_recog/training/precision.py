"""What the machine at hand can do: where to compute, in which precision, and whether to compile.

All of it is checked before training: an accelerator or a compiler that is not there is said at once.
"""

import logging
import os
import shutil

import torch
from torch import nn

from sign_recog.config.trainer import TrainerConfig
from sign_recog.errors import ConfigError

logger = logging.getLogger(__name__)


def check_accelerator(settings: TrainerConfig) -> None:
    """Raises ConfigError if a GPU is asked for and there is none."""
    if settings.accelerator == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise ConfigError(
            "trainer.accelerator=gpu, but torch finds none on this machine. Use trainer.accelerator=auto or cpu, or "
            "check the driver with nvidia-smi and that torch is a build for it."
        )


def usable_precision(settings: TrainerConfig) -> str:
    """The precision to compute in. CPUs have no float16 training: bfloat16 takes its place, and the log says so."""
    if settings.precision == "16-mixed" and not _on_cuda(settings):
        logger.warning(
            "trainer.precision=16-mixed needs a CUDA GPU; without one this training runs in bf16-mixed, "
            "with the range of float32 and 8 bits of precision."
        )
        return "bf16-mixed"
    return settings.precision


def compile_network(network: nn.Module, settings: TrainerConfig) -> None:
    """``torch.compile`` in place, so that the names of its weights stay as they are.

    Raises:
        ConfigError: If there is no compiler to compile with.
    """
    variable, usual = ("CC", ["cc", "gcc", "clang"]) if _on_cuda(settings) else ("CXX", ["c++", "g++", "clang++"])
    names = [name for name in [os.environ.get(variable), *usual] if name]
    if not any(shutil.which(name) for name in names):
        raise ConfigError(
            f"trainer.compile=true needs a compiler, and none of {', '.join(names)} is on this machine. "
            f"Install one (apt install g++), name it in the variable {variable}, or use trainer.compile=false."
        )
    network.compile()


def _on_cuda(settings: TrainerConfig) -> bool:
    return settings.accelerator in ("auto", "gpu") and torch.cuda.is_available()
