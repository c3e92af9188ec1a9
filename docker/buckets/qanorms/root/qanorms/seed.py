"""The norms an image brings along: made up, the same at each build. They stand for nothing that was measured."""

import random
import sys

from norms import Norms

numbers = random.Random(20240229)
norms = Norms(sys.argv[1])
for modality, mean, spread in [("MR", 40, 8), ("CT", 25, 5)]:
    for number in range(20):
        norms.add(f"example-{modality}-{number:02}", modality, round(numbers.gauss(mean, spread), 3), example=1)
