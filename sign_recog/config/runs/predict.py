"""Settings of ``run=predict``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig

EMBEDDINGS = ("spatial", "temporal", "cls", "probabilities")


@dataclass
class PredictRun(RunConfig):
    """Video, folder of videos, or what was extracted from them -> top-k JSON, overlay video, embeddings."""

    reads_modality = True
    verbatim = ("glosses",)
    input: str | None = MISSING
    glosses: str | None = MISSING  # of a sentence, with spaces between; instead of input
    checkpoint: str | None = MISSING
    output_dir: str | None = MISSING  # null = predictions/ in the run folder
    language: str | None = MISSING  # of the inputs; only checkpoints of several languages need it
    top_k: int = MISSING
    overlay: bool = MISSING
    embeddings: list[str] = MISSING  # EMBEDDINGS; each is written as <input>.<name>.npy
    batch_size: int = MISSING  # inputs a forward pass

    def problems(self) -> list[str]:
        found = []
        if self.input is None and self.glosses is None:
            found.append(
                "run.input=null: nothing to predict. Give run.input=clip.mp4, a folder, a .npz of keypoints, features "
                "in a .npz, .npy or .pt, or a .txt of glosses."
            )
        if self.input is not None and self.glosses is not None:
            found.append(
                f"run.input={self.input} and run.glosses={self.glosses!r} are two inputs. Give one of them, or put the "
                "glosses into a .txt in the folder."
            )
        if self.glosses is not None and not self.glosses.strip():
            found.append("run.glosses holds no gloss. Write them with spaces between, or use null.")
        for name in ("top_k", "batch_size"):
            if getattr(self, name) < 1:
                found.append(f"run.{name}={getattr(self, name)} must be at least 1.")
        unknown = [name for name in self.embeddings if name not in EMBEDDINGS]
        if unknown:
            found.append(f"run.embeddings names {', '.join(unknown)}. Use some of {', '.join(EMBEDDINGS)}.")
        return found
