#!/usr/bin/env bash
# Without any data: the whole way from video to report, killed in the middle of its training and resumed.
#   launchers/smoke.sh [folder]      default: a new folder in the system's temporary one
set -euo pipefail
FOLDER=$(realpath -m "${1:-$(mktemp -d)}")
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
COMMAND=("$PYTHON" run.py +experiment=smoke "paths.data_root=$FOLDER/data" "paths.output_root=$FOLDER/outputs")

"${COMMAND[@]}" &
FIRST=$!
until compgen -G "$FOLDER/outputs/smoke/*/seed1/checkpoints/last.ckpt" >/dev/null; do
  kill -0 "$FIRST" 2>/dev/null || { echo "It ended before its training had a checkpoint."; exit 1; }
  sleep 0.05
done
kill -KILL "$FIRST"
wait "$FIRST" || true
echo "Killed in the middle of its training. The same command goes on from the last checkpoint:"

"${COMMAND[@]}"
RUN=$(dirname "$FOLDER"/outputs/smoke/*/seed1/report.html)
# Every epoch stands in the table once, whichever process trained it.
EPOCHS=$(tail -n +2 "$RUN/metrics.csv" | cut -d, -f1 | paste -sd' ')
test "$EPOCHS" = "$(seq -s ' ' 1 20)" || { echo "Epochs are missing or double: $EPOCHS"; exit 1; }
echo "Done: $RUN/report.html"
