#!/usr/bin/env bash
# Real clips: prepare, check, extract, train, and predict one of them.
#   launchers/ksl77.sh /path/to/video_ksl77_koala
set -euo pipefail
SOURCE=$(realpath "${1:?give the folder of labels.csv}")
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}

$PYTHON run.py +experiment=ksl77_keypoints data.source="$SOURCE" run=prepare
$PYTHON run.py +experiment=ksl77_keypoints data.source="$SOURCE" run=extract_keypoints
$PYTHON run.py +experiment=ksl77_keypoints data.source="$SOURCE" run=classify
$PYTHON run.py +experiment=ksl77_keypoints data.source="$SOURCE" run=predict \
  run.input="$(find "$SOURCE/clips" -name '*.mp4' | sort | head -1)"
