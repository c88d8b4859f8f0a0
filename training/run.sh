#!/bin/sh
# Makes `mini` from nothing: voices, vocoder, training, evaluation, export. What is done already is skipped (evaluation and
# export are not: they are of the checkpoint at hand) and training resumes, so the command can be stopped and given again. Needs the Debian packages and Python packages of README.md.
#   MINUTES=150 PYTHON=python3 OUT=../packages/mini CASES=24 ./run.sh      # CASES: dialogues per capability in the evaluation
#   SHARES="--share bank-natural=0.1 --share bank-more=0.3" MORPH="--share 0.3" ./run.sh      # less speech in less time
#   MICROTURN_RECIPE=ablations/dense.toml RUN=dense OUT=work/dense/model ./run.sh    # another recipe needs a run and a folder of its own
#   TRAIN="--initial ../packages/mini --probes-first 40" ...    # more for `train`: here, to go on from the weights that ship
set -eu
cd "$(dirname "$0")"
if [ -n "${MICROTURN_RECIPE:-}" ] && { [ -z "${RUN:-}" ] || [ -z "${OUT:-}" ]; }; then
  echo "another recipe than mini.toml needs RUN and OUT: it would overwrite run1 and packages/mini" >&2; exit 2
fi
PYTHON=${PYTHON:-python3}; RUN=${RUN:-run1}; WORK=${WORK:-work}; OUT=${OUT:-../packages/mini}; CASES=${CASES:-24}
mkdir -p "$WORK"
echo "1/6 voices";     nice -n 5 "$PYTHON" -m microturn_training.synthesis "$WORK" ${SHARES:-}   # makes what is lacking
                       [ -f "$WORK/bank-human.json" ] || nice -n 5 "$PYTHON" -m microturn_training.human "$WORK"
                       [ -f "$WORK/bank-wishes.json" ] || nice -n 5 "$PYTHON" -m microturn_training.wishes "$WORK"
                       [ -f "$WORK/bank-morph.json" ] || nice -n 5 "$PYTHON" -m microturn_training.morph "$WORK" ${MORPH:-}
echo "2/6 vocoder";    [ -f "$WORK/vocoder/vocoder.safetensors" ] || nice -n 5 "$PYTHON" -m microturn_training.vocoder --folder "$WORK/vocoder"
echo "3/6 reading out"; [ -f "$WORK/acoustic/sentences.npz" ] || nice -n 5 "$PYTHON" -m microturn_training.acoustic_data --work "$WORK"
                       nice -n 5 "$PYTHON" -m microturn_training.acoustic --work "$WORK"
                       [ -f "$WORK/bank-typed.json" ] || nice -n 5 "$PYTHON" -m microturn_training.typed "$WORK"
echo "4/6 training";   nice -n 5 "$PYTHON" -m microturn_training.train --work "$WORK" --run "$RUN" ${MINUTES:+--minutes "$MINUTES"} ${TRAIN:-}
echo "5/6 evaluation"; nice -n 5 "$PYTHON" -m microturn_training.evaluate "$WORK/$RUN/checkpoint.pt" --work "$WORK" -n "$CASES" --out "$WORK/$RUN/evaluation.json"
echo "6/6 export";     "$PYTHON" -m microturn_training.export "$WORK/$RUN/checkpoint.pt" "$OUT" --vocoder "$WORK/vocoder/vocoder.safetensors" --acoustic "$WORK/acoustic/checkpoint.pt"
