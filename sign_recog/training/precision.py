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


def num_devices(settings: TrainerConfig) -> int:
    """How many processes share the training: ``trainer.devices``, with ``auto`` every GPU, and without GPUs one.

    Raises:
        ConfigError: If there are not as many GPUs, or more devices than clips in a batch.
    """
    gpus = torch.cuda.device_count() if on_cuda(settings) else 0
    there = gpus if on_cuda(settings) or settings.accelerator == "gpu" else None
    if settings.devices == "auto":
        size = gpus or 1
        if size > settings.batch_size:
            raise ConfigError(
                f"trainer.devices=auto are {size} GPUs here, and trainer.batch_size={settings.batch_size} clips cannot "
                f"be shared among them. Use trainer.devices={settings.batch_size}, or larger batches."
            )
        return size
    size = int(settings.devices)
    if size > 1 and there is not None and size > there:
        raise ConfigError(
            f"trainer.devices={size}, but torch finds {there} CUDA GPU{'' if there == 1 else 's'} on this machine. "
            f"Use trainer.devices={max(there, 1)} or auto, or trainer.accelerator=cpu for processes on the CPU."
        )
    return size


def usable_precision(settings: TrainerConfig) -> str:
    """The precision to compute in. CPUs have no float16 training: bfloat16 takes its place, and the log says so."""
    if settings.precision == "16-mixed" and not on_cuda(settings):
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
    variable, usual = ("CC", ["cc", "gcc", "clang"]) if on_cuda(settings) else ("CXX", ["c++", "g++", "clang++"])
    names = [name for name in [os.environ.get(variable), *usual] if name]
    if not any(shutil.which(name) for name in names):
        raise ConfigError(
            f"trainer.compile=true needs a compiler, and none of {', '.join(names)} is on this machine. "
            f"Install one (apt install g++), name it in the variable {variable}, or use trainer.compile=false."
        )
    network.compile()


def on_cuda(settings: TrainerConfig) -> bool:
    """Whether training computes on CUDA GPUs."""
    return settings.accelerator in ("auto", "gpu") and torch.cuda.is_available()
