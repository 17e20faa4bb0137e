"""Settings of ``run=export``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class ExportRun(RunConfig):
    """A checkpoint as files that need nothing of this project: ONNX, preprocessing, labels, a sample, a card."""

    reads_modality = True
    checkpoint: str | None = MISSING  # null = the run folder's own, as trainer.select says
    output_dir: str | None = MISSING  # null = export/ in the run folder
    sample: str | None = MISSING  # video or .npz for golden.npz; null = the first val clip of the corpus
    tolerance: float = MISSING  # largest difference allowed between ONNX's and PyTorch's logits

    def problems(self) -> list[str]:
        if self.tolerance <= 0:
            return [f"run.tolerance={self.tolerance} must be above 0, say 1e-4."]
        return []
