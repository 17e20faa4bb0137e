"""Run one stage of an experiment.

python run.py
python run.py +experiment=synthetic_keypoints --multirun seed=1,2,3 launcher.cluster=local
python run.py --help
"""

import sys

import hydra
from omegaconf import DictConfig

from sign_recog import cli, config, stages

config.register_schemas()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float | None:
    """Validate the composed configuration, run its stage, return its objective."""
    return cli.run_to_exit_code(lambda: stages.run(config.validate(cfg)).objective)


if __name__ == "__main__":
    try:
        sys.argv[1:] = cli.checked_arguments(sys.argv[1:])
        main()
    except KeyboardInterrupt:  # the stage has said what is kept
        sys.exit(1)
