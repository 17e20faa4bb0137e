"""Settings of ``data=ssvp_slt_features``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.corpora.base import CorpusConfig


@dataclass
class SsvpSltFeaturesConfig(CorpusConfig):
    """Features in several of SSVP-SLT's folders."""

    joined = ("train_dirs",)
    train_dirs: list[str] = MISSING  # folders whose train manifests are trained on
    val_dir: str = MISSING  # the folder of the val manifest
    test_dir: str | None = MISSING  # the folder of the test manifest; null = val_dir, where it has one

    def problems(self) -> list[str]:
        found = super().problems()
        if not self.train_dirs or not all(one.strip() for one in self.train_dirs):
            found.append(
                f"data.train_dirs={self.train_dirs} names no folder. Give one, or several with commas between."
            )
        twice = sorted({one for one in self.train_dirs if self.train_dirs.count(one) > 1})
        if twice:
            found.append(f"data.train_dirs names {', '.join(twice)} more than once. Leave the others out.")
        if self.source is not None:
            found.append(f"data.source={self.source} has no effect beside data.train_dirs. Use data.source=null.")
        return found
