"""What a training takes over from another: the settings of group ``transfer``."""

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class TransferConfig:
    """Weights to start from (training/transfer.py), and parts that do not learn (training/freeze.py).

    Parts are named as in the network, nested names included: ``layers.0``, ``projection``.
    """

    checkpoint: str | None = MISSING  # best.ckpt or last.ckpt of another run; null = start afresh
    extend_head: bool = MISSING  # classes of the same name keep their weights; else other classes mean a fresh head
    freeze_parts: list[str] = MISSING  # neither learn nor drop out nor update running statistics
    freeze_until_convergence: bool = MISSING  # free them once val_loss has stopped falling
    patience: int = MISSING  # evaluations without a lower val_loss after which they are freed
    keep_frozen: list[str] = MISSING  # parts that then stay, or become, frozen
    lr_after_unfreeze: float | None = MISSING  # learning rate from then on; null = as it is

    def problems(self) -> list[str]:
        found = []
        if self.extend_head and self.checkpoint is None:
            found.append("transfer.extend_head=true needs a head to extend. Give transfer.checkpoint=PATH.")
        if self.freeze_until_convergence and not self.freeze_parts:
            found.append(
                "transfer.freeze_until_convergence=true has nothing to free. Give transfer.freeze_parts=[...]."
            )
        if not self.freeze_until_convergence:
            without_effect = {"keep_frozen": self.keep_frozen or None, "lr_after_unfreeze": self.lr_after_unfreeze}
            found += [
                f"transfer.{name}={value} has no effect while nothing is unfrozen. "
                "Set transfer.freeze_until_convergence=true."
                for name, value in without_effect.items()
                if value is not None
            ]
        if self.patience < 1:
            found.append(f"transfer.patience={self.patience} must be at least 1.")
        if self.lr_after_unfreeze is not None and self.lr_after_unfreeze <= 0:
            found.append(f"transfer.lr_after_unfreeze={self.lr_after_unfreeze} must be above 0, or null.")
        return found
