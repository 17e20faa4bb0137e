"""In which precision, and compiled or not, a translator can be trained."""

import csv
import shutil
from pathlib import Path

import pytest
import torch
from small_translation import NETWORK, T5, configure

from sign_recog import stages
from sign_recog.errors import ConfigError
from sign_recog.storage.checkpoint import read_translation

SHORT = ("run=translate", "trainer.max_epochs=2")


def losses(folder: Path) -> list[float]:
    with (folder / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


def test_s3_t5_is_trained_and_evaluated_in_bf16(tmp_path):
    """Logits in bfloat16 arise inside, and the loss falls as in float32."""
    found, kinds = {}, set()
    for precision in ("32-true", "bf16-mixed"):
        config = configure(
            tmp_path, *SHORT, f"trainer.precision={precision}", f"paths.run_dir={tmp_path / precision}", network=T5
        )
        stages.run(config)
        folder = tmp_path / precision
        found[precision] = losses(folder)
        kinds |= {w.dtype for w in read_translation(folder / "checkpoints/last.ckpt").weights.values()}
        stages.run(
            configure(
                tmp_path, "run=evaluate", "trainer.max_epochs=2", f"trainer.precision={precision}",
                f"paths.run_dir={folder}", network=T5,
            )
        )  # fmt: skip
    assert kinds == {torch.float32}  # the weights stay exact
    assert found["bf16-mixed"] != found["32-true"]
    assert (
        found["bf16-mixed"] == pytest.approx(found["32-true"], rel=0.02)
        and found["bf16-mixed"][1] < found["bf16-mixed"][0]
    )


def test_s3_t5_in_fp16_is_refused_before_anything_is_written(tmp_path):
    config = configure(tmp_path, *SHORT, "trainer.precision=16-mixed", network=T5)
    with pytest.raises(ConfigError, match=r"trainer\.precision=16-mixed: values inside T5 exceed .*bf16-mixed"):
        stages.run(config)
    assert not list(Path(config.paths.run_dir).glob("checkpoints/*"))


def test_a_compiled_training_without_a_compiler_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"trainer\.compile=true needs a compiler"):
        stages.run(configure(tmp_path, *SHORT, "trainer.compile=true"))


@pytest.mark.slow
@pytest.mark.parametrize("network", [NETWORK, T5], ids=["transformer", "t5"])
def test_a_compiled_training_is_that_of_the_network(tmp_path, monkeypatch, network):
    """What torch can trace, and for which shapes, is the same with every compiler: here the graphs are run as is."""
    graphs = []

    def run_as_is(graph, inputs):
        graphs.append(graph)
        return graph.forward

    whole = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: whole(module, backend=run_as_is))
    found = {}
    for compiled in (False, True):
        folder = tmp_path / str(compiled)
        extra = () if network is T5 else ("model.attention_dropout=0", "model.activation_dropout=0")
        settings = (f"trainer.compile={compiled}", f"paths.run_dir={folder}", "model.dropout=0", *extra)
        stages.run(configure(tmp_path, *SHORT, *settings, network=network))
        found[compiled] = losses(folder)
        assert bool(graphs) == compiled
    assert found[True] == pytest.approx(found[False], abs=1e-4)
