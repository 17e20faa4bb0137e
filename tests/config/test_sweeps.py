"""Every file of conf/sweep names jobs that Hydra runs as the file says, wherever jobs run."""

import pytest
from hydra import compose, initialize_config_dir

from sign_recog import cli, config

SWEEPS = sorted(path.stem for path in (cli.CONF_DIR / "sweep").glob("*.yaml"))
JOBS = {
    "seeds": ["seed=1", "seed=2", "seed=3"],
    "kfold": [f"data.split.strategy=kfold,data.split.fold={i}" for i in range(4)],
    "kfold_signer": [f"data.split.strategy=kfold_signer,data.split.fold={i}" for i in range(4)],
    "standard_vs_disjoint": ["data.split.strategy=random", "data.split.strategy=signer_disjoint"],
    "kfold_vs_kfold_signer": [
        f"data.split.strategy={strategy},data.split.fold={i}"
        for strategy in ("kfold", "kfold_signer")
        for i in range(4)
    ],
}


def jobs_of(*overrides: str) -> tuple[list[str], str]:
    """What Hydra's own sweeper makes of a command, and its mode."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    config.register_schemas()
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        cfg = compose("config", list(overrides), return_hydra_config=True)
    params = [f"{key}={value}" for key, value in cfg.hydra.sweeper.params.items()]
    (batch,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(params), None)
    return [",".join(job) for job in batch], cfg.hydra.mode.name


@pytest.mark.parametrize("cluster", ["local", "local_parallel", "slurm"])
@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_file_is_a_multirun_of_its_jobs(sweep, cluster):
    overrides = ("data.split.folds=4", f"launcher.cluster={cluster}", f"+sweep={sweep}")
    assert jobs_of(*overrides) == (JOBS[sweep], "MULTIRUN")


def test_two_sweep_files_are_combined():
    jobs, _ = jobs_of("+sweep=[kfold_signer,seeds]", "data.split.folds=3")
    assert len(jobs) == len(set(jobs)) == 9 and "seed=3" in jobs[-1] and "data.split.fold=2" in jobs[-1]


def test_each_fold_has_a_run_folder_and_a_manifest_of_its_own():
    config.register_schemas()
    folders = set()
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        for fold in range(5):
            overrides = ["data.split.strategy=kfold_signer", f"data.split.fold={fold}"]
            folders.add(config.validate(compose("config", overrides)).paths.run_dir)
    assert len(folders) == 5
