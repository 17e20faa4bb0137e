"""Translation: training beside batches in memory, the share of padding, generation in batches, T5-base on a GPU.

    python benchmarks/translation.py [training] [padding] [generation]      all three without a name
    python benchmarks/translation.py t5_base --device cuda

training: an epoch of run=translate without validation (Lightning's loop, loader, metrics, checkpoints) over the same
optimiser steps on the same batches, made before and held in memory; in turn, in one process, with one thread. Networks:
transformer_seq2seq and a T5 of a fifteenth of T5-small's weights, over 768 made features a window; and the settings of
+experiment=phoenix14t_gloss2text over PHOENIX14T's glosses.
padding: places of a batch that are padding, on both sides, in token-budget batches; beside it batches of as many pairs
in a random order. PHOENIX14T's glosses and words, and How2Sign's sentences, whose features are taken to have
6.25 windows a second at 14 characters a second, give or take a third.
generation: sentences/s of batches of 32, cut from 480 sentences in the order of their lengths, over one at a time,
greedily and with 5 beams, of the networks of training with random weights, whose sentences are made to end at the
lengths of the references.
t5_base: steps/s and tokens/s of T5-base with random weights in bf16, and its share of the measured rate of bf16 matrix
products.

PHOENIX14T and How2Sign are read from SIGN_RECOG_TEST_DATA; without them the parts that need them are left out.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from translation_parts.corpora import ROOT
from translation_parts.generation import generation
from translation_parts.padding import padding
from translation_parts.t5_base import t5_base
from translation_parts.training import training

CLIPS = 480


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"training": training, "padding": padding, "generation": generation, "t5_base": t5_base}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--device", default="cpu", help="of t5_base: cpu or cuda")
    parser.add_argument("--clips", type=int, default=CLIPS, help="train clips of training")
    parser.add_argument("--epochs", type=int, default=4, help="of training")
    parser.add_argument("--sentences", type=int, default=CLIPS, help="of generation")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    chosen = arguments.parts or ["training", "padding", "generation", *(["t5_base"] * (arguments.device != "cpu"))]
    with tempfile.TemporaryDirectory() as folder:
        met = [parts[name](arguments, Path(folder)) for name in chosen]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
