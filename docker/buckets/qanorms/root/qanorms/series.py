"""The series to measure: of the input, the images that can be laid on top of each other."""

import sys
from collections import defaultdict
from pathlib import Path

import numpy
import pydicom
from pydicom.errors import InvalidDicomError


def largest(directory):
    """(first header, slices × rows × columns as float) of the series with the most images; None without images."""
    series = defaultdict(list)
    for path in sorted(Path(directory).iterdir()):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            continue
        if header.get("Rows") and header.get("SamplesPerPixel", 1) == 1 and header.get("NumberOfFrames", 1) == 1:
            key = (str(header.SeriesInstanceUID), header.Rows, header.Columns)
            series[key].append((int(header.get("InstanceNumber") or 0), str(header.SOPInstanceUID), path))
    if not series:
        return None
    # The same input gives the same answer: of equally large ones the first by UID.
    _, members = max(sorted(series.items()), key=lambda item: len(item[1]))
    images = [pydicom.dcmread(path) for _, _, path in sorted(members)]
    return images[0], numpy.stack([pixels(image) for image in images])


def pixels(image):
    try:
        values = image.pixel_array.astype(float)
    except (NotImplementedError, RuntimeError, AttributeError, ValueError) as error:
        sys.exit(f"an image cannot be decoded: {error}")
    return values * float(image.get("RescaleSlope", 1) or 1) + float(image.get("RescaleIntercept", 0) or 0)
