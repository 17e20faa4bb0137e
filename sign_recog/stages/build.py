"""From a ``_target_`` node to the object it names; the only use of Hydra's instantiate."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

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
