"""What is submitted, and what is refused before anything is."""

import pytest
from omegaconf import OmegaConf

from sign_recog.errors import ConfigError
from sign_recog.launch.launcher import launch, sbatch_options


def test_the_group_launcher_is_what_sbatch_gets(tiny):
    config = tiny(
        "launcher=16gpu", "launcher.partition=gpu", "launcher.account=mine", "launcher.qos=long", "launcher.mem_gb=0.5",
        "launcher.constraint=a100|h100", "launcher.setup=[module load cuda]", "+launcher.sbatch.exclude=node7",
    )  # fmt: skip
    options = sbatch_options(OmegaConf.structured(config.launcher), "name")
    from submitit.slurm.slurm import _make_sbatch_string

    script = _make_sbatch_string(command="run", folder="folder", map_count=3, **options)
    for flag in (
        "nodes=2", "ntasks-per-node=1", "gpus-per-node=8", "cpus-per-task=64", "mem=512M", "time=1440", "partition=gpu",
        "account=mine", "qos=long", "constraint='a100|h100'", "array=0-2%3", "signal=USR2@90", "exclude=node7",
        "requeue", "job-name=name",
    ):  # fmt: skip
        assert f"#SBATCH --{flag}\n" in script
    assert script.index("module load cuda") < script.index("srun")
    assert "wckey" not in script


def test_jobs_that_are_the_same_run_are_refused(tmp_path):
    config = OmegaConf.create(
        {
            "paths": {"run_dir": str(tmp_path / "run")},
            "hydra": {"job": {}, "sweep": {"dir": str(tmp_path), "subdir": "x"}},
        }
    )
    overrides = [["trainer.num_workers=0", "seed=1"], ["trainer.num_workers=2", "seed=1"]]
    with pytest.raises(ConfigError, match=r"trainer.num_workers=2 and trainer.num_workers=0 are the same run"):
        launch([config, config.copy()], overrides, 0, lambda cfg: None)
    assert list(tmp_path.iterdir()) == []
