"""Which checkpoints stay, and that a moved folder is still one's own."""

import shutil

import torch
from small_training import SmallTraining, trainer_settings

from sign_recog.storage.checkpoint import read_checkpoint


def names(folder) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_best_and_last_are_always_kept(tmp_path):
    SmallTraining(tmp_path, trainer_settings(max_epochs=4)).fit()
    assert names(tmp_path) == ["best.ckpt", "last.ckpt"]


def test_the_latest_are_kept_by_number_not_by_name(tmp_path):
    """Two batches an epoch: steps 2 to 12. By name "step10" would be older than "step8"."""
    settings = trainer_settings(max_epochs=6, batch_size=11, keep=3, early_stopping__enabled=False)
    SmallTraining(tmp_path, settings).fit()
    assert names(tmp_path) == ["best.ckpt", "last.ckpt", "step0000008.ckpt", "step0000010.ckpt", "step0000012.ckpt"]
    assert [read_checkpoint(tmp_path / "checkpoints" / f"step{s:07d}.ckpt").step for s in (8, 10, 12)] == [8, 10, 12]


def test_a_resumed_training_goes_on_deleting_the_oldest(tmp_path):
    for epochs in (3, 6):
        settings = trainer_settings(max_epochs=epochs, batch_size=11, keep=2, early_stopping__enabled=False)
        SmallTraining(tmp_path, settings).fit()
    assert names(tmp_path) == ["best.ckpt", "last.ckpt", "step0000010.ckpt", "step0000012.ckpt"]


def test_the_best_survives_a_resume_in_a_moved_folder(tmp_path):
    """After the move the network gets worse and worse; Lightning alone would forget the best and overwrite it."""
    SmallTraining(tmp_path / "here", trainer_settings(max_epochs=3)).fit()
    best = read_checkpoint(tmp_path / "here/checkpoints/best.ckpt")
    shutil.move(tmp_path / "here", tmp_path / "there")
    training = SmallTraining(tmp_path / "there", trainer_settings(max_epochs=5))
    training.module.on_train_batch_end = lambda *_: [p.data.normal_(0, 30) for p in training.network.parameters()]
    training.fit()
    assert read_checkpoint(training.last).metrics["val_loss"] > best.metrics["val_loss"]
    found = read_checkpoint(tmp_path / "there/checkpoints/best.ckpt")
    assert found.step == best.step
    assert all(torch.equal(found.weights[name], best.weights[name]) for name in best.weights)
