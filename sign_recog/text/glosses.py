"""The signs of a sentence by name, one after another: the manifest's column ``glosses``, separated by spaces.

The column ``gloss`` is another matter: the one label of a clip that shows one sign.
"""

from sign_recog.storage.manifest import Clip

COLUMN = "glosses"


def glosses_of(clip: Clip) -> list[str]:
    """The glosses of a clip, in the order in which they are signed; empty where none are annotated."""
    return clip.extra.get(COLUMN, "").split()
