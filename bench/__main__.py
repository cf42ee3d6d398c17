"""python -m bench PART [options]: runs one comparison and prints its table. Parts: coverage, embed, image, loss,
negatives, step, tagger."""

import argparse
import sys

from bench import coverage, embed, image_negatives, loss, negatives, step, tagger


def main():
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Times a part of vlmneg beside its peers: outputs are compared first, runs are interleaved.",
        epilog="example: python -m bench step --batch 32 --negatives 1 --pairs 7",
    )
    parts = parser.add_subparsers(dest="part", required=True)
    coverage.add_arguments(parts.add_parser("coverage", help="edits of SugarCrepe that our recipes can make"))
    embed.add_arguments(parts.add_parser("embed", help="embedding negatives in objectives against PyTorch"))
    image_negatives.add_arguments(parts.add_parser("image", help="image edits against OpenCV"))
    loss.add_arguments(parts.add_parser("loss", help="objectives against open_clip and PyTorch, time and memory"))
    negatives.add_arguments(parts.add_parser("negatives", help="text negatives a second on one core"))
    step.add_arguments(parts.add_parser("step", help="one training step of ViT-B/32 against open_clip's"))
    tagger.add_arguments(parts.add_parser("tagger", help="agreement of the built-in tagger with TextBlob"))
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
