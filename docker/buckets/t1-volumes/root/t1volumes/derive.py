"""The derived DICOM series: the source's slices with the outlines of head and brain burnt in.

MR Image Storage, one object a slice, in the source's study and frame of reference: every PACS takes it, and viewers
lay it over the source. UIDs follow from the source's, so that a second run gives the same objects, byte for byte.
"""

import hashlib
import os

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from scipy import ndimage

import attributes
import segment
import series


class DeriveError(Exception):
    """The volume and the slices do not fit together."""


def write(slices, volume, labels, affine, folder, version):
    """Writes one derived image for each of `slices` to `folder`; how many."""
    os.makedirs(folder)
    stored, bits = _pixels(volume)
    white = int(np.percentile(stored[labels == segment.BRAIN], 99.5)) if (labels == segment.BRAIN).any() else int(stored.max())
    white = max(white * 5 // 4, 1)  # brighter than the brain it is drawn on
    sources = "\n".join(s.uid for s in slices)
    run = "\n".join([attributes.MODEL, version, slices[0].series, sources])
    into_voxels = np.linalg.inv(affine) @ np.diag([-1.0, -1.0, 1.0, 1.0])  # DICOM's axes are L P S, NIfTI's R A S
    for number, slice_ in enumerate(slices, 1):
        at = _voxels(slice_, into_voxels, volume.shape)
        pixels = _burn(stored[at], labels[at], white)
        dataset = _dataset(slice_, number, run, version)
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
        dataset.PixelRepresentation = 0
        dataset.WindowCenter, dataset.WindowWidth = str(white // 2 + 1), str(white + 1)
        dataset.PixelData = pixels.astype("<u2").tobytes()
        dataset.save_as(os.path.join(folder, "%04d.dcm" % number), write_like_original=False)
    return len(slices)


def _pixels(volume):
    """The volume as unsigned pixel values and the bits they take; other than whole positive numbers are stretched."""
    low, high = float(volume.min()), float(volume.max())
    if low < 0 or high > 65535 or not np.issubdtype(volume.dtype, np.integer):
        scale = 4095 / (high - low) if high > low else 1
        return np.rint((volume - low) * scale).astype(np.uint16), 12
    return volume.astype(np.uint16), 12 if high < 4096 else 16


def _voxels(slice_, into_voxels, shape):
    """Indices of the volume's voxels for each row and column of a slice."""
    between_rows, between_columns = slice_.spacing
    along_row, along_column = slice_.orientation[:3], slice_.orientation[3:]
    origin = into_voxels @ np.append(slice_.position, 1)
    column = into_voxels[:3, :3] @ (along_row * between_columns)
    row = into_voxels[:3, :3] @ (along_column * between_rows)
    r, c = np.arange(slice_.rows)[:, None], np.arange(slice_.columns)[None, :]
    # dcm2niix only turns and flips: whole steps, but for the rounding of its 32-bit numbers.
    at = []
    for o, dr, dc in zip(*np.rint([origin[:3], row, column]).astype(np.intp)):
        at.append(o + dr * r if dr else o + dc * c)
    at = tuple(at)
    if abs(origin[:3] - np.rint(origin[:3])).max() > 0.3 or any(a.min() < 0 or a.max() >= n for a, n in zip(at, shape)):
        raise DeriveError("the converted volume does not lie where the slices are")
    return at


def _burn(pixels, labels, white):
    """The slice with a solid line around the brain and a dashed one around the head."""
    out = pixels.copy()
    head, brain = _outline(labels > segment.AIR), _outline(labels == segment.BRAIN)
    rows, columns = np.indices(pixels.shape)
    out[head & ((rows + columns) % 6 < 3)] = white
    out[brain] = white
    return out


def _outline(mask):
    return mask & ~ndimage.binary_erosion(mask)


def _dataset(slice_, number, run, version):
    """All but the pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = series.MR_IMAGE
    meta.MediaStorageSOPInstanceUID = _uid(run, slice_.uid)
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.ImplementationClassUID = _uid(attributes.MODEL)
    meta.ImplementationVersionName = "MB_T1_" + version

    d = Dataset()
    d.file_meta, d.is_little_endian, d.is_implicit_VR = meta, True, False
    attributes.copy(slice_, d)
    _supply(d, slice_)

    d.SOPClassUID, d.SOPInstanceUID = series.MR_IMAGE, meta.MediaStorageSOPInstanceUID
    d.Modality = "MR"
    d.SeriesInstanceUID = _uid(run)
    d.SeriesDescription = "T1 volumes: outlines"
    d.SeriesNumber = _series_number(slice_.raw.get("SeriesNumber", b""))
    d.InstanceNumber = str(number if slice_.number is None else slice_.number)
    d.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    d.DerivationDescription = "outlines of head (dashed) and brain (solid) burnt in by t1-volumes " + version
    d.SourceImageSequence = Sequence([_reference(slice_)])
    d.ContributingEquipmentSequence = Sequence([_equipment(version)])
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BurnedInAnnotation = "NO"  # means text that tells who the patient is
    return d


def _supply(d, slice_):
    """What the IOD requires with a value and the source may lack."""
    if "ScanningSequence" not in d:
        d.ScanningSequence = "RM"  # "research mode": the one value that claims nothing
    if "SequenceVariant" not in d:
        d.SequenceVariant = "NONE"
    # Conditional on the sequence (PS3.3 C.8.3.1), and out of place without it.
    if "IR" not in _values(d.ScanningSequence):
        d.pop("InversionTime", None)
    elif "InversionTime" not in d:
        d.InversionTime = ""
    if not {"CG", "PPG"} & set(_values(d.ScanOptions)):
        d.pop("TriggerTime", None)
    elif "TriggerTime" not in d:
        d.TriggerTime = ""
    if "StudyInstanceUID" not in d:
        d.StudyInstanceUID = _uid("study of", slice_.series)
    if "FrameOfReferenceUID" not in d:
        d.FrameOfReferenceUID = _uid("frame of", slice_.series)
    if "Laterality" not in d and d.get("BodyPartExamined") not in ("HEAD", "BRAIN", "SKULL"):
        d.Laterality = ""  # the body part may be a paired one, so it must be there, if empty
    if d.get("PatientIdentityRemoved") == "YES" and "DeidentificationMethod" not in d:
        d.DeidentificationMethod = "as in the source images"  # due where the identity is said to be removed


def _values(value):
    """The values of an attribute that has none, one or several."""
    return [value] if isinstance(value, str) else value or []


def _reference(slice_):
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = slice_.sop_class, slice_.uid
    item.PurposeOfReferenceCodeSequence = Sequence([purpose])
    return item


def _equipment(version):
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = "109102", "DCM", "Processing Equipment"
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence([purpose])
    item.Manufacturer, item.ManufacturerModelName, item.SoftwareVersions = "MagickBox", attributes.MODEL, version
    return item


def _series_number(value):
    """Beside the source's number: 4 gives 401."""
    text = value.strip(b" \0")
    return str(int(text) * 100 + 1) if text.isdigit() and len(text) < 7 else "901"


def _uid(*parts):
    """A UID below 2.25 (PS3.5 B.2) that follows from the parts."""
    digest = bytearray(hashlib.sha256("\n".join(parts).encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80  # version 8 and variant of a UUID
    return "2.25.%d" % int.from_bytes(digest, "big")
