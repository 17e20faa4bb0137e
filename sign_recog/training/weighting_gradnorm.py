"""GradNorm: task weights that let all tasks train at similar rates."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.training.parts import find_part
from sign_recog.training.weighting import Weighting, weighted_sum

_SMALLEST = 1e-6  # of what is divided by, and of a weight: Adam's steps are as large as its rate and could pass 0


class GradNorm(Weighting):
    """Algorithm 1 of Chen et al. 2018 (arXiv:1711.02257).

    With L_i(t) the losses, w_i(t) their weights and W the weights of the last part that the tasks share, at every
    step: G_i = |grad_W w_i L_i|, its mean over tasks G, the inverse training rates L_i(t) / L_i(0) and these divided
    by their mean, r_i. The weights go down the gradient of sum_i |G_i - G r_i^alpha|, with G r_i^alpha held fixed,
    by an Adam of their own, and are scaled to their first sum. The network is trained on sum_i w_i L_i with the
    weights before that step.

    The first weights are the given ones (in the paper all 1), L_i(0) are the losses of the first batch in which both
    tasks have labels, and the weights are updated after every such batch. G_i is w_i times a norm, so the gradient
    with respect to w_i is sign(G_i - G r_i^alpha) times that norm, without second derivatives; what it costs is one
    short backward pass a task, from its loss to W.

    Args:
        alpha: Strength of the pull to equal rates; 0 = equal gradient norms.
        lr: Of the weights' Adam.
        shared_part: Module whose matrices are W; None = the last module with a matrix of its own before the heads.
    """

    values: nn.Parameter
    first_losses: Tensor
    started: Tensor

    def __init__(
        self, *, gloss_weight: float, category_weight: float, alpha: float, lr: float, shared_part: str | None
    ):
        super().__init__(gloss_weight=gloss_weight, category_weight=category_weight)
        self.alpha, self.lr, self._shared_part = alpha, lr, shared_part
        # A parameter, so that it stays the same tensor when moved to a device; the network's optimiser leaves it.
        self.values = nn.Parameter(torch.tensor([*self.given.values()]), requires_grad=False)
        self._sum = sum(self.given.values())
        self.register_buffer("first_losses", torch.ones(len(self.given)))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self._optimizer: torch.optim.Adam | None = None  # made on the device, at the first update
        self._optimizer_state: dict[str, Any] = {}
        self._name, self._shared = "", list[nn.Parameter]()

    def bind(self, network: nn.Module) -> None:
        """Find W.

        Raises:
            ConfigError: If there is no such part.
        """
        self._name = last_shared_part(network) if self._shared_part is None else self._shared_part
        part = find_part(network, self._name, "loss.weighting.shared_part")
        self._shared = [p for p in part.parameters() if p.ndim > 1]

    def forward(self, losses: Mapping[str, Tensor], *, epoch: int) -> Tensor:
        """As the base says; moves the weights."""
        in_use = dict(zip(self.given, self.values.detach().clone(), strict=True))
        if len(losses) == len(self.given):
            self._update([losses[name] for name in self.given])
        return weighted_sum(losses, in_use)

    def weights(self) -> dict[str, Tensor]:
        """As the base says."""
        return dict(zip(self.given, self.values.detach(), strict=True))

    def _update(self, losses: list[Tensor]) -> None:
        shared = [p for p in self._shared if p.requires_grad]
        if not shared:
            raise ConfigError(
                f"loss.weighting.shared_part={self._name} has no matrix that is trained, so GradNorm finds no "
                "gradients there. Name a part that is not frozen, the last one before the heads."
            )
        norms = torch.stack([_gradient_norm(loss, shared) for loss in losses])
        now = torch.stack([loss.detach().float() for loss in losses])
        self.first_losses.copy_(torch.where(self.started, self.first_losses, now))
        self.started.fill_(True)
        weighted = self.values * norms
        rates = now / self.first_losses.clamp(min=_SMALLEST)
        target = weighted.mean() * (rates / rates.mean().clamp(min=_SMALLEST)) ** self.alpha
        self.values.grad = torch.sign(weighted - target) * norms
        self._step()
        self.values.clamp_(min=_SMALLEST).mul_(self._sum / self.values.sum())
        self.values.grad = None

    def _step(self) -> None:
        if self._optimizer is None:
            self._optimizer = torch.optim.Adam([self.values], lr=self.lr)
            if self._optimizer_state:
                self._optimizer.load_state_dict(self._optimizer_state)
        self._optimizer.step()

    def get_extra_state(self) -> dict[str, Any]:
        """The Adam's state, which ``state_dict`` so holds."""
        return self._optimizer_state if self._optimizer is None else self._optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a checkpoint's Adam at the next update."""
        self._optimizer, self._optimizer_state = None, state


def _gradient_norm(loss: Tensor, parameters: list[nn.Parameter]) -> Tensor:
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    return torch.stack([gradient.float().square().sum() for gradient in gradients]).sum().sqrt()


def last_shared_part(network: nn.Module) -> str:
    """The last module outside ``heads`` that has a matrix of its own, in the order of construction."""
    names = [
        name
        for name, module in network.named_modules()
        if name.partition(".")[0] != "heads" and any(p.ndim > 1 for p in module.parameters(recurse=False))
    ]
    return names[-1] if names else ""
