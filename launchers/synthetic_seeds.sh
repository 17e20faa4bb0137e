#!/usr/bin/env bash
# Three seeds of the built-in experiment, then one page with mean, deviation and interval.
# Extra arguments go to the training, e.g. launchers/synthetic_seeds.sh launcher.cluster=slurm
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}

$PYTHON run.py +experiment=synthetic_keypoints run=prepare
$PYTHON run.py +experiment=synthetic_keypoints run=extract_keypoints
$PYTHON run.py +experiment=synthetic_keypoints --multirun seed=1,2,3 "$@"
$PYTHON run.py run=report run.folder=outputs/synthetic_keypoints
