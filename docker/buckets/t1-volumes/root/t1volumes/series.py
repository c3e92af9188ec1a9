"""Finds the 3D MR series in a folder of DICOM files, and says why the others are none."""

import os
from collections import Counter, defaultdict

import numpy as np
import pydicom

import attributes

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"

MIN_IMAGES = 40  # localizers and thick 2D series have fewer
MAX_STEP_MM = 3.0  # between slices; beyond it the volumes would be guesses
MAX_UNEVEN = 0.1  # of the step: more means that slices are missing


class NoSeries(Exception):
    """Nothing in the input can be processed; the text says what was found instead."""


class Slice:
    """One MR image: where it is in the patient, and the attributes to carry over, as their bytes in the file."""

    def __init__(self, path, dataset):
        self.path = path
        # First of all: reading a value below would decode it.
        self.raw = attributes.raw(dataset)

        def get(keyword):
            try:
                return dataset.get(keyword)
            except Exception:  # pydicom has no one error for a value that it cannot decode
                return None

        self.sop_class = str(get("SOPClassUID") or "")
        self.uid = str(get("SOPInstanceUID") or "")
        self.series = str(get("SeriesInstanceUID") or "")
        self.modality = str(get("Modality") or "no modality")
        self.acquisition = str(get("MRAcquisitionType") or "")
        self.number = _number(get("InstanceNumber"))
        self.rows, self.columns = get("Rows") or 0, get("Columns") or 0
        self.position = _floats(get("ImagePositionPatient"), 3)
        self.orientation = _floats(get("ImageOrientationPatient"), 6)
        self.spacing = _floats(get("PixelSpacing"), 2)  # between rows, between columns
        equipment = get("ContributingEquipmentSequence") or []
        self.ours = any(item.get("ManufacturerModelName") == attributes.MODEL for item in equipment)

    def normal(self):
        return np.cross(self.orientation[:3], self.orientation[3:])


def choose(folder):
    """The largest 3D MR series below `folder`, in the order of its slices, and notes on what was left out."""
    found, strange = _read(folder)
    notes = ["%d files are not DICOM and left out" % strange] if strange else []
    if not found:
        raise NoSeries("no DICOM images in the input%s" % (" (%d other files)" % strange if strange else ""))

    good, reasons = [], []
    for slices in found.values():
        slices, reason = _check(slices)
        if reason:
            reasons.append(reason)
        else:
            good.append(slices)
    if not good:
        raise NoSeries("the input is not a 3D MR series: " + "; ".join(_counted(reasons)))
    # The UID settles a tie, so that the choice is the same each time.
    good.sort(key=lambda slices: (-len(slices), slices[0].series))
    notes += ["left out: " + reason for reason in _counted(reasons)]
    if len(good) > 1:
        sizes = ", ".join(str(len(slices)) for slices in good)
        notes.append("%d 3D MR series (%s images): the largest is taken" % (len(good), sizes))
    return good[0], notes


def _counted(reasons):
    return [r if n == 1 else "%s (%d such series)" % (r, n) for r, n in sorted(Counter(reasons).items())]


def _read(folder):
    found, strange = defaultdict(list), 0
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(where, name)
            try:
                dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=attributes.READ)
            except (pydicom.errors.InvalidDicomError, OSError, EOFError):
                strange += 1
                continue
            if "SOPInstanceUID" in dataset:  # a DICOMDIR has none
                slice_ = Slice(path, dataset)
                found[slice_.series].append(slice_)
    return found, strange


def _check(slices):
    """The series in the order of its slices and None, or the reason why it is not a 3D MR series."""
    first = slices[0]
    count = "%d %s images" % (len(slices), "/".join(sorted(Counter(s.modality for s in slices))))
    if any(s.ours for s in slices):
        return None, "%s: a result of this bucket" % count
    if any(s.sop_class == ENHANCED_MR for s in slices):
        return None, "%s: Enhanced MR (multi-frame) is not supported" % count
    if any(s.sop_class != MR_IMAGE for s in slices):
        return None, "%s: not MR Image Storage" % count
    if len(slices) < MIN_IMAGES:
        return None, "%s: fewer than %d" % (count, MIN_IMAGES)
    if any(s.acquisition == "2D" for s in slices):
        return None, "%s: a 2D acquisition" % count
    if any(s.position is None or s.orientation is None or s.spacing is None for s in slices):
        return None, "%s: position, orientation or pixel spacing is missing" % count

    same = lambda s: (s.rows, s.columns) == (first.rows, first.columns) and np.allclose(s.spacing, first.spacing, rtol=1e-3)
    if not all(same(s) for s in slices):
        return None, "%s: of several sizes" % count
    if not all(np.allclose(s.orientation, first.orientation, atol=1e-3) for s in slices):
        return None, "%s: in several directions" % count

    depth = {id(s): float(np.dot(s.position, first.normal())) for s in slices}
    ordered = sorted(slices, key=lambda s: depth[id(s)])
    steps = np.diff([depth[id(s)] for s in ordered])
    step = float(np.median(steps))
    if steps.min() < 0.01:
        return None, "%s: several at the same place (echoes or time points)" % count
    if step > MAX_STEP_MM:
        return None, "%s: %.1f mm apart, more than %.0f mm" % (count, step, MAX_STEP_MM)
    if abs(steps - step).max() > MAX_UNEVEN * step:
        return None, "%s: not evenly spaced, slices are missing" % count
    return ordered, None


def _floats(value, count):
    try:
        numbers = [float(v) for v in value]
    except (TypeError, ValueError):
        return None
    return np.array(numbers) if len(numbers) == count and np.all(np.isfinite(numbers)) else None


def _number(value):
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
