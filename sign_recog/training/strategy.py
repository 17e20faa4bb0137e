"""How the processes of one training share its steps: Lightning's distributed data parallel, for parts freed later."""

from pytorch_lightning.strategies import DDPStrategy
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class SharedSteps(DDPStrategy):
    """Gradients are averaged over all processes, of every parameter that may ever learn.

    torch averages only what learns when it wraps a network. A part that is frozen then and freed later would go its
    own way in each process, so it is shown to it as learning. What a step does not use, as a frozen part or the head
    of a label that its clips lack, is looked for in every step.

    Args:
        frees_parts: Whether parts that are frozen now may learn later.
    """

    def __init__(self, *, frees_parts: bool) -> None:
        super().__init__(find_unused_parameters=True)
        self._frees_parts = frees_parts

    def _setup_model(self, model: nn.Module) -> DistributedDataParallel:
        learn_later = model.parameters() if self._frees_parts else ()
        frozen = [p for p in learn_later if not p.requires_grad]
        for parameter in frozen:
            parameter.requires_grad_(True)
        wrapped = super()._setup_model(model)
        for parameter in frozen:
            parameter.requires_grad_(False)
        return wrapped
