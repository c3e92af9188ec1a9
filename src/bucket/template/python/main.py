"""main.py INPUT OUTPUT: the largest series of images, without its background, and the volume of the rest.

An example to write your own over: `process` is the work, the rest is how a derived series is made.
"""

import json
import os
import sys
import uuid
from collections import defaultdict

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

BUCKET, VERSION = "@NAME@", "0.1.0"


def main(input_folder, output_folder):
    images = largest_series(input_folder)
    volume = np.stack([image.pixel_array for image in images])
    print("%d images of %d x %d, %s" % (len(images), images[0].Columns, images[0].Rows, images[0].Modality))

    result, foreground = process(volume)

    series_uid = uid(images[0].SeriesInstanceUID)
    os.makedirs(os.path.join(output_folder, "derived"))
    for number, (image, pixels) in enumerate(zip(images, result), 1):
        derived = derive(image, pixels, series_uid, number)
        derived.save_as(os.path.join(output_folder, "derived", "%04d.dcm" % number), write_like_original=False)

    # db-plugin.code shows this file as the run's measures.
    measures = {"images": len(images), "foreground_ml": round(float(foreground.sum()) * voxel_ml(images), 1)}
    with open(os.path.join(output_folder, "measures-of-run.json"), "w") as file:
        json.dump(measures, file)
    print("foreground: %.1f mL" % measures["foreground_ml"])


def process(volume):
    """What is darker than the mean becomes as dark as the darkest; the new volume, and the mask of what was kept."""
    mask = volume > volume.mean()
    return np.where(mask, volume, volume.min()).astype(volume.dtype), mask


def largest_series(folder):
    """The series with the most images of one size, in the order of their slices."""
    found = defaultdict(list)
    for name in sorted(os.listdir(folder)):
        try:
            dataset = pydicom.dcmread(os.path.join(folder, name))
        except pydicom.errors.InvalidDicomError:
            continue
        if "PixelData" in dataset and dataset.get("SamplesPerPixel") == 1 and not dataset.get("NumberOfFrames"):
            found[dataset.SeriesInstanceUID, dataset.Rows, dataset.Columns].append(dataset)
    if not found:
        sys.exit("no series of single-frame grey images in the input")
    # The UID settles a tie, so that the choice is the same each time.
    key = min(found, key=lambda key: (-len(found[key]), key[0]))
    return sorted(found[key], key=place)


def place(image):
    """Where a slice lies along the direction of the series; without a position, its number."""
    if "ImagePositionPatient" in image and "ImageOrientationPatient" in image:
        along = np.cross(image.ImageOrientationPatient[:3], image.ImageOrientationPatient[3:])
        return float(np.dot(image.ImagePositionPatient, along))
    return float(image.get("InstanceNumber") or 0)


def voxel_ml(images):
    """The volume of one voxel: pixel spacing times the distance of two slices (thickness where there is one slice)."""
    rows, columns = images[0].get("PixelSpacing") or (1, 1)
    thickness = float(images[0].get("SliceThickness") or 1)
    if len(images) > 1 and "ImagePositionPatient" in images[0]:
        thickness = abs(place(images[-1]) - place(images[0])) / (len(images) - 1) or thickness
    return float(rows) * float(columns) * thickness / 1000


def uid(of):
    """A UID of ours that follows from another one: the same input gives the same objects, not new ones (PS3.5 B.2)."""
    return "2.25.%d" % uuid.uuid5(uuid.NAMESPACE_OID, "%s %s %s" % (BUCKET, VERSION, of)).int


def derive(image, pixels, series_uid, number):
    """The image with other pixels, as PS3.3 C.7.6.1 asks of a derived one; patient, study and place stay."""
    source = item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
    source.PurposeOfReferenceCodeSequence = [code("121322", "DCM", "Source image for image processing operation")]
    # Private elements may speak of the pixels as they were.
    image.remove_private_tags()
    for stale in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "IconImageSequence"):
        if stale in image:
            delattr(image, stale)
    image.SOPInstanceUID = uid(image.SOPInstanceUID)
    image.SeriesInstanceUID = series_uid
    image.SeriesDescription = ("%s %s" % (BUCKET, image.get("SeriesDescription") or "")).strip()[:64]
    image.SeriesNumber = int(image.get("SeriesNumber") or 0) % 1000000 + 1000
    image.InstanceNumber = number
    image.ImageType = ["DERIVED", "SECONDARY"] + list(image.get("ImageType") or [])[2:]
    image.DerivationDescription = "Background removed by %s %s" % (BUCKET, VERSION)
    image.SourceImageSequence = [source]
    image.ContributingEquipmentSequence = list(image.get("ContributingEquipmentSequence") or []) + [
        item(PurposeOfReferenceCodeSequence=[code("109103", "DCM", "Modifying Equipment")],
             Manufacturer="MagickBox", ManufacturerModelName=BUCKET, SoftwareVersions=VERSION)]
    # A file of this program's making; whatever the source was compressed with, this is not.
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.is_little_endian, image.is_implicit_VR = True, False
    image.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    image["PixelData"].VR = "OW" if image.BitsAllocated > 8 else "OB"
    image["PixelData"].is_undefined_length = False
    return image


def item(**elements):
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value, scheme, meaning):
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
