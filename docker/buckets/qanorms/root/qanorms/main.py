"""main.py INPUT OUTPUT DATABASE: measures, scores, remembers."""

import json
import sys
from pathlib import Path

from norms import Norms
from series import largest
from snr import measure


def main(source, output, database):
    found = largest(source)
    if found is None:
        return failed(output, "there is no image with one sample per pixel and one frame in the study")
    header, stack = found
    signal, noise = measure(stack)
    if signal <= 0 or noise <= 0:
        return failed(output, "the middle of the images has no signal or no noise: nothing to measure")
    snr = signal / noise
    modality, series = str(header.get("Modality", "OT")), str(header.SeriesInstanceUID)
    norms = Norms(database)
    score, count = norms.score(series, modality, snr)
    norms.add(series, modality, snr)
    print(f"{len(stack)} images, {modality}: SNR {snr:.2f}, against {count} norms: z {score if score is None else round(score, 2)}")
    measures = {"snr": round(snr, 4), "norms": count}
    if score is not None:
        measures["snr_z"] = round(score, 4)
    Path(output, "qa.json").write_text(json.dumps(measures) + "\n")
    return 0


def failed(output, message):
    Path(output, "proc.json").write_text(json.dumps([{"success": "failed", "message": message}]) + "\n")
    print(message)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
