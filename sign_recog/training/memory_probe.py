"""Before the first step: does the largest batch that this training can meet fit into the GPU's memory?

Without it a training may end hours after its begin, in the batch that happens to hold the longest clips.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sign_recog.data.samplers import BucketBatchSampler
from sign_recog.data.sentence_batches import SentenceBatchSampler
from sign_recog.errors import ConfigError
from sign_recog.training.budget import sampler_of
from sign_recog.training.gpu_memory import GpuMemory, Memory, is_out_of_memory
from sign_recog.training.processes import gathered, rank_and_size

logger = logging.getLogger(__name__)
Batches = BucketBatchSampler | SentenceBatchSampler
PRECISION = 32  # the largest batch is searched for to 1 / 32 of its size


class Shape(NamedTuple):
    """Clips of a batch, frames or glosses of each with padding, and tokens; 0 where there are no sentences."""

    clips: int
    source: int
    target: int

    def __str__(self) -> str:
        tokens = f" with sentences of {self.target} tokens" if self.target else ""
        return f"{self.clips} clip{'' if self.clips == 1 else 's'} of length {self.source}{tokens}"


class Limit(NamedTuple):
    """The setting that bounds a batch, its value, and the least that it can be."""

    key: str
    value: int
    least: int


class MemoryProbe(pl.Callback):
    """Take a step's forward and backward pass of the largest batches on made clips, and leave no trace of it.

    The optimiser's state is there meanwhile; random streams, weights, buffers and that state are afterwards what they
    were before, so a training's results are the same with and without. Evaluations are not probed.

    Args:
        loader: Of the train clips.

    Raises:
        ConfigError: Before the first step, if a batch does not fit; it names the largest that does.
    """

    def __init__(self, loader: DataLoader, memory: Memory | None = None):
        self._loader, self._sampler, self._memory = loader, sampler_of(loader), memory or GpuMemory()
        self._sample: dict[str, Any] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Before the loader's threads and processes begin to read.
        dataset: Any = self._loader.dataset
        longest = int(self._sampler.lengths.argmax())
        self._sample = dataset.__getitems__([(0, longest)])

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not self._memory.is_watched(pl_module.device):
            logger.info("memory probe: only a CUDA GPU's memory is probed, and this training has none.")
            return
        size = rank_and_size()[1]
        if size > 1 and any(isinstance(module, nn.SyncBatchNorm) for module in pl_module.modules()):
            logger.warning("memory probe: nothing is probed, since the processes share their batch norms.")
            return
        with _without_trace(pl_module, trainer.optimizers[0]):
            self._probe(trainer, pl_module, limit_of(self._sampler, num_processes=size))
        self._memory.begin()
        self._sample = {}

    def _probe(self, trainer: pl.Trainer, module: Any, limit: Limit) -> None:
        peaks: list[int] = []
        failed: list[Shape] = []

        def fits(value: int) -> bool:
            for shape in self._shapes(value):
                peak = self._peak(trainer, module, shape)
                if peak is None:
                    failed.append(shape)
                    return False
                peaks.append(peak)
            return True

        total = self._memory.total_mb()
        if fits(limit.value):
            later = " Parts that are freed later will need more." if _frees_parts(trainer) else ""
            logger.info("memory probe: the largest batch fits, with %d of %d MB.%s", max(peaks), total, later)
            return
        at_first = failed[0]
        found = largest_that_fits(fits, least=limit.least, most=limit.value)
        raise ConfigError(_advice(limit, at_first, found, failed[-1], total, trainer.accumulate_grad_batches))

    def _shapes(self, limit: int) -> list[Shape]:
        """The largest batches under ``limit`` that one process gets, as its augmentations may lengthen them."""
        size, dataset = rank_and_size()[1], cast(Any, self._loader.dataset)
        longer = math.prod(getattr(change, "stretch", 1.0) for change in getattr(dataset, "augmentations", ()))
        return largest_shapes(
            Shape(math.ceil(clips / size), math.ceil(source * longer), target)
            for clips, source, target in possible_shapes(self._sampler, limit)
        )

    def _peak(self, trainer: pl.Trainer, module: Any, shape: Shape) -> int | None:
        """Memory in use at most; None = of a process it was too little."""
        optimizer = trainer.optimizers[0]
        peak = None
        self._memory.begin()
        try:
            if not optimizer.state:
                _make_state(optimizer)
            batch = trainer.strategy.batch_to_device(made_batch(self._sample, shape), module.device)
            for _ in range(min(2, trainer.accumulate_grad_batches)):  # the second has the first one's gradients beside
                with trainer.precision_plugin.forward_context():
                    loss = module.probe_loss(batch)
                loss.backward()
            peak = self._memory.peak_mb()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # No sooner: until here the error holds on to the tensors of the frames that it came through.
        batch = loss = None
        module.zero_grad(set_to_none=True)
        of_all = gathered(peak)
        known = [one for one in of_all if one is not None]
        return max(known) if len(known) == len(of_all) else None


def limit_of(sampler: Batches, *, num_processes: int = 1) -> Limit:
    """What bounds the batches of ``sampler``; several processes need a clip each."""
    if isinstance(sampler, SentenceBatchSampler) and sampler.max_tokens is not None:
        return Limit("translation.max_tokens", sampler.max_tokens, int((sampler.lengths + sampler.targets).max()))
    return Limit("trainer.batch_size", sampler.batch_size, num_processes)


def possible_shapes(sampler: Batches, limit: int) -> list[Shape]:
    """Shapes that no batch exceeds, in whatever epoch, were what bounds the batches of ``sampler`` ``limit``."""
    if isinstance(sampler, BucketBatchSampler):
        return [Shape(min(limit, len(sampler.lengths)), int(sampler.lengths.max()), 0)]
    bounded = sampler.max_tokens is not None
    other = SentenceBatchSampler(
        sampler.lengths,
        sampler.targets,
        batch_size=sampler.batch_size if bounded else limit,
        max_tokens=limit if bounded else None,
        seed=sampler.seed,
        shuffle=sampler.shuffle,
        bucketing=sampler.bucketing,
    )
    return [Shape(*row) for row in other.shapes().tolist()]


def largest_that_fits(fits: Callable[[int], bool], *, least: int, most: int) -> int | None:
    """The largest number from ``least`` to below ``most`` that fits, to 1 / 32 of it; None = not even ``least``.

    Args:
        fits: True up to some number, and False above it; known to be False at ``most``.

    >>> largest_that_fits(lambda clips: clips <= 21, least=1, most=64)
    21
    """
    if least >= most or not fits(least):
        return None
    low, high = least, most
    while high - low > max(1, low // PRECISION):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def largest_shapes(shapes: Iterable[Shape]) -> list[Shape]:
    """Those that can need the most memory, each once: by attention, by states, by logits, and the longest.

    Attention needs clips x source^2 and clips x source x target values, states clips x (source + target), logits clips
    x target.
    """
    every = sorted(set(shapes))
    measures: list[Callable[[Shape], int]] = [
        lambda s: s.clips * s.source**2,
        lambda s: s.clips * (s.source + s.target),
        lambda s: s.clips * s.source * s.target,
        lambda s: s.clips * s.target,
        lambda s: s.source + s.target,
    ]
    return sorted({max(every, key=measure) for measure in measures}, reverse=True)


def made_batch(sample: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """A batch of ``shape`` with what a ``sample`` of one clip has: zeros as sequences, no padding, its labels again."""
    if "frames" in sample:
        return _made_pictures(sample, shape.clips)
    sequence: Tensor = sample["sequence"]
    found: dict[str, Any] = {
        "sequence": sequence.new_zeros(shape.clips, shape.source, *sequence.shape[2:]),
        "padding_mask": torch.zeros(shape.clips, shape.source, dtype=torch.bool),
    }
    if "labels" in sample:
        found["labels"] = sample["labels"][:, :1].expand(shape.clips, shape.target).contiguous()
    for name, value in sample.items():
        if name not in found:
            found[name] = value.repeat(shape.clips) if isinstance(value, Tensor) else list(value) * shape.clips
    return found


def _made_pictures(sample: dict[str, Any], count: int) -> dict[str, Any]:
    """The one labelled picture of ``sample`` so many times; a window of a video is a batch's, and stays one."""
    found: dict[str, Any] = {}
    for name, value in sample.items():
        if name.startswith("video"):
            found[name] = value
        else:
            found[name] = torch.cat([value] * count) if isinstance(value, Tensor) else list(value) * count
    return found


@contextmanager
def _without_trace(module: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """What happens inside changes neither random streams nor buffers, and no state or rate of the optimiser.

    Compiled networks run as they are written: otherwise made batches would decide for which shapes they are compiled.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    fresh, rates = not optimizer.state, [group["lr"] for group in optimizer.param_groups]
    try:
        with torch.random.fork_rng(devices), _eager(module):
            yield
    finally:
        module.zero_grad(set_to_none=True)
        if fresh:
            optimizer.state.clear()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def _eager(module: nn.Module) -> AbstractContextManager:
    compiled = any(part._compiled_call_impl is not None for part in module.modules())
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()  # its import takes seconds


def _make_state(optimizer: torch.optim.Optimizer) -> None:
    """Let ``optimizer`` make its state: a step with gradients of 0 and a rate of 0, which changes no weight."""
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _frees_parts(trainer: pl.Trainer) -> bool:
    return any(getattr(callback, "frees_parts", False) for callback in cast(Any, trainer).callbacks)


def _advice(limit: Limit, shape: Shape, found: int | None, least: Shape, total_mb: int, accumulate: int) -> str:
    said = f"{limit.key}={limit.value}: a batch of {shape} does not fit into the GPU's {total_mb} MB. "
    other = "trainer.precision=bf16-mixed, model.gradient_checkpointing=true where the network has it, "
    if found is None:
        return f"{said}Nor does a batch of {least}. Use {other}a smaller network, or shorter clips."
    times = math.ceil(accumulate * limit.value / found)
    return (
        f"{said}The largest that fits is {limit.key}={found}. Use that, with trainer.accumulate={times} for steps of "
        f"about as many clips; or {other}or a smaller network. trainer.memory_probe=false begins all the same."
    )
