"""How much of a GPU's memory is in use, and whether an error says that it is used up."""

from typing import Protocol

import torch


class Memory(Protocol):
    """A device's memory; for tests another one than :class:`GpuMemory`."""

    def is_watched(self, device: torch.device) -> bool:
        """Whether it can be said of this device what fits."""

    def begin(self) -> None:
        """Forget earlier peaks."""

    def peak_mb(self) -> int:
        """The most that was in use since then."""

    def total_mb(self) -> int:
        """All there is."""


class GpuMemory:
    """That of the current CUDA GPU, as torch's allocator counts it."""

    def is_watched(self, device: torch.device) -> bool:
        return device.type == "cuda"

    def begin(self) -> None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def peak_mb(self) -> int:
        torch.cuda.synchronize()
        return round(torch.cuda.max_memory_reserved() / 2**20)

    def total_mb(self) -> int:
        return round(torch.cuda.mem_get_info()[1] / 2**20)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether ``error`` says that a GPU's memory is used up; torch's matrix library says it in its own words."""
    return isinstance(error, torch.OutOfMemoryError) or "CUBLAS_STATUS_ALLOC_FAILED" in str(error)
