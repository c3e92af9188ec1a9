"""t1-volumes: INPUT is a study, OUTPUT gets volumes.json, the NIfTI volumes and a derived DICOM series."""

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings

import nibabel
import numpy as np

import derive
import segment
import series

# pydicom warns of each unlawful value, and quotes it: a patient's attributes have no place in a log.
warnings.filterwarnings("ignore", module="pydicom")

VERSION = "0.1.0"


class Failed(Exception):
    """A step failed on this input; the text says which and why."""


def main(source, target):
    began = time.monotonic()

    def say(text):
        print("%6.1f s  %s" % (time.monotonic() - began, text), flush=True)

    chosen, notes = series.choose(source)
    for note in notes:
        say(note)
    say("series of %d MR images, %d x %d" % (len(chosen), chosen[0].rows, chosen[0].columns))

    path = convert(chosen, target)
    image = nibabel.load(path)
    volume = np.asanyarray(image.dataobj)
    spacing = [float(mm) for mm in image.header.get_zooms()[:3]]
    say("converted to NIfTI: %s voxels of %s mm" % (" x ".join(map(str, volume.shape)), " x ".join("%.2f" % s for s in spacing)))

    labels = segment.segment(volume, spacing)
    ml = float(np.prod(spacing)) / 1000
    volumes = {
        "head_volume_ml": round(np.count_nonzero(labels) * ml, 1),
        "brain_volume_ml": round(np.count_nonzero(labels == segment.BRAIN) * ml, 1),
    }
    say("head %(head_volume_ml)s ml, brain %(brain_volume_ml)s ml" % volumes)

    out = nibabel.Nifti1Image(labels, image.affine)
    nibabel.openers.Opener.default_compresslevel = 1  # labels compress well at any level, and slowly at a high one
    nibabel.save(out, os.path.join(target, "labels.nii.gz"))
    count = derive.write(chosen, volume, labels, image.affine, os.path.join(target, "overlay"), VERSION)
    say("wrote %d derived images" % count)

    # Last, so that no measure is kept of a run that failed on its way.
    write_json(os.path.join(target, "volumes.json"), volumes)
    return "head %(head_volume_ml)s ml, brain %(brain_volume_ml)s ml" % volumes


def convert(chosen, target):
    """Runs dcm2niix on the chosen series alone; the path of its one volume. Not compressed: that takes ten times as long."""
    with tempfile.TemporaryDirectory() as links:
        for number, slice_ in enumerate(chosen):
            os.symlink(os.path.abspath(slice_.path), os.path.join(links, "%05d.dcm" % number))
        command = ["dcm2niix", "-b", "n", "-z", "n", "-m", "y", "-f", "t1", "-o", target, links]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    made = [name for name in os.listdir(target) if name.endswith(".nii")]
    if done.returncode != 0 or len(made) != 1:
        # It repeats itself for each image.
        print("\n".join(dict.fromkeys(done.stdout.splitlines())), flush=True)
        raise Failed("dcm2niix made %d volumes of the series, not one (its own words are in the log)" % len(made))
    return os.path.join(target, made[0])


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file)
        file.write("\n")


def run(source, target):
    """Exit status of the run: 0, 1 if the input is refused, 2 if we failed."""
    try:
        word, message, status = "success", main(source, target), 0
    except (series.NoSeries, segment.SegmentError, derive.DeriveError, Failed) as error:
        word, message, status = "failed", str(error), 1
    except Exception as error:  # whatever it is, the job must say so
        traceback.print_exc()
        word, message, status = "failed", "internal error: %s: %s" % (type(error).__name__, error), 2
    if status:
        print("t1-volumes: " + message, file=sys.stderr, flush=True)
    write_json(os.path.join(target, "proc.json"), [{"success": word, "message": message}])
    return status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2]))
