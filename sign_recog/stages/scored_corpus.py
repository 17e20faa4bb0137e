"""What a checkpoint is scored on: its own corpus or another, if it was made in the same way."""

from pathlib import Path

from sign_recog.config import Config
from sign_recog.errors import CheckpointError, DataError
from sign_recog.stages.run_folder import corpus_dir, read_extraction
from sign_recog.storage.checkpoint import TrainedNetwork
from sign_recog.storage.corpus import PreparedCorpus, manifest_dir
from sign_recog.storage.manifest import Clip


def is_own(corpus: PreparedCorpus, trained: TrainedNetwork) -> bool:
    """Whether it is the corpus, divided in the way, that the checkpoint was trained on."""
    data = trained.config["data"]
    own = manifest_dir(Path(data["name"]), data)
    return (corpus.root.name, corpus.folder.name) == (data["name"], own.name)


def place(corpus: PreparedCorpus, trained: TrainedNetwork) -> str:
    """Below the run's folder; scores of another corpus, or another division, never replace the run's own."""
    return "" if is_own(corpus, trained) else f"on_{corpus.root.name}"


def corpus_folder(config: Config, trained: TrainedNetwork) -> Path:
    """The folder of the manifest whose clips ``run=evaluate`` scores."""
    if config.run.corpus is not None:
        return Path(config.run.corpus)
    if config.run.checkpoint is not None:  # the corpus it was trained on, whatever data= says
        data = trained.config["data"]
        return manifest_dir(Path(config.paths.data_root) / data["name"], data)
    return corpus_dir(config)


def refuse_other_extraction(trained: TrainedNetwork, folder: Path | None) -> None:
    """Raises CheckpointError if the files in ``folder`` were made in another way than the training's."""
    now = read_extraction(folder)
    if trained.extraction is not None and now is not None and now != trained.extraction:
        keys = sorted(k for k in now.keys() | trained.extraction.keys() if now.get(k) != trained.extraction.get(k))
        raise CheckpointError(
            f"{trained.path} was trained on files made in another way than those in {folder}: "
            f"{', '.join(f'{k} was {trained.extraction.get(k)}, is {now.get(k)}' for k in keys)}. "
            "Extract again with the checkpoint's settings, or train again."
        )


def refuse_other_crop(trained: TrainedNetwork, corpus: PreparedCorpus) -> None:
    """A network that reads videos knows signers as large as its training's clips showed them."""
    if trained.config["modality"]["extraction"] is not None:
        return
    before, now = (data.get("crop") for data in (trained.config["data"], corpus.info["settings"]))
    if before != now:
        size = f"data.clip_size={trained.config['data']['clip_size']} " if before else ""
        raise CheckpointError(
            f"{trained.path} was trained on clips made with data.crop={before or 'null'}, and those of {corpus.folder} "
            f"were made with data.crop={now or 'null'}. Prepare that corpus with {size}data.crop={before or 'null'}, "
            f"or train again with data.crop={now or 'null'}."
        )


def refuse_trained_clips(trained: TrainedNetwork, clips: list[Clip], split: str) -> None:
    """Raises DataError if clips of val or test were trained on."""
    both = sorted({clip.clip_id for clip in clips} & set(trained.train_clips))
    if split == "val" and both and trained.config["trainer"].get("train_on_val"):
        raise DataError(
            f"{trained.path} was trained on train and val (trainer.train_on_val), so a score on val would say nothing. "
            "Score it on test (run.split=test evaluation=partial)."
        )
    if split != "train" and both:
        raise DataError(
            f"{len(both)} clips of {split} were trained on ({', '.join(both[:3])}, ...): the manifest's splits have "
            f"changed since {trained.path} was made. Prepare the corpus with the settings of then, or train again."
        )
