"""Settings of ``data=synthetic_pose``."""

from dataclasses import dataclass

from sign_recog.config.corpora.base import CorpusConfig, without_effect_on_frames
from sign_recog.config.split import SplitStrategy


@dataclass
class SyntheticPoseConfig(CorpusConfig):
    """Drawn signers with their true landmarks; the reader's own settings stand in ``corpus``."""

    def problems(self) -> list[str]:
        found = super().problems() + without_effect_on_frames(self)
        if self.split.strategy is not SplitStrategy.given:
            found.append(
                f"data.split.strategy={self.split.strategy.value}: drawn signers are of one split each. Use "
                "data.split.strategy=given, and data.corpus.num_signers and num_frames for the sizes."
            )
        return found
