"""From a ``_target_`` node to the object it names; the only use of Hydra's instantiate."""

from typing import Any, cast

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from sign_recog.config.modalities import ModalityConfig
from sign_recog.data.readers import Reader
from sign_recog.errors import SignRecogError


def build(node: dict[str, Any], **known: Any) -> Any:
    """Instantiate ``node`` with what only the data know.

    Raises:
        SignRecogError: The object's own, which Hydra would wrap in one of its errors.
    """
    try:
        return instantiate(node, **known)
    except InstantiationException as error:
        if isinstance(error.__cause__, SignRecogError):
            raise error.__cause__ from None
        raise


def build_reader(modality: ModalityConfig) -> Reader:
    """The reader of a modality, made from its settings."""
    kind = cast(type[Reader], get_class(modality._target_))
    steps = {name: [build(node) for node in getattr(modality, name).values()] for name in kind.steps}
    return cast(Any, kind)(modality, **steps)


def stored_reader(modality: dict[str, Any]) -> Reader:
    """The reader of a checkpoint's modality, which is stored as plain values."""
    settings = cast(type[Reader], get_class(modality["_target_"])).Settings
    merged = OmegaConf.merge(OmegaConf.structured(settings), settings.earlier, modality)
    return build_reader(cast(ModalityConfig, OmegaConf.to_object(merged)))
