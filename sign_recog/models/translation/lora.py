"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685), of the library ``peft``."""

from collections.abc import Sequence

from torch import nn

from sign_recog.errors import ConfigError


def add_adapters(network: nn.Module, *, rank: int, alpha: float, dropout: float, targets: Sequence[str] | None) -> None:
    """Put an adapter beside every target layer of one of transformers' networks and let nothing else of it learn.

    A target layer's own weights go on under ``<name>.base_layer``, the adapter's stand beside them under
    ``<name>.lora_A`` and ``<name>.lora_B``.

    Args:
        alpha: The adapter's output is multiplied by alpha / rank.
        targets: Ends of the names of linear layers; None = those that the library takes for this kind of network.

    Raises:
        ConfigError: If the library is missing, or no layer has such a name.
    """
    from sign_recog.torchvision_operators import declare_missing

    declare_missing()  # the library imports transformers
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ConfigError(
            f"model.lora_rank={rank} needs a library that cannot be loaded ({error}). "
            "Run: pip install 'sign-recog[lora]', or use model.lora_rank=0."
        ) from error
    names = None if targets is None else list(targets)
    try:
        settings = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names)  # type: ignore[arg-type]
        inject_adapter_in_model(settings, network)
    except ValueError as error:  # of rank, or of names that fit no layer
        linear = {name.rpartition(".")[2] for name, part in network.named_modules() if isinstance(part, nn.Linear)}
        raise ConfigError(
            f"model.lora_rank={rank}, model.lora_targets={names}: {str(error).splitlines()[0]} "
            f"Use a rank of at least 1, and of these layers: {', '.join(sorted(linear))}."
        ) from error
