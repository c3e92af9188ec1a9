"""Which attributes a derived image takes over from its source, and how they are made lawful.

They are carried as the bytes that stand in the source, so text in any character set stays what it was.
"""

import re

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.valuerep import format_number_as_ds

MODEL = "t1-volumes"  # how a result of this bucket is known again

# Type 2 in the MR Image IOD (PS3.3 A.4.3): empty where the source has nothing, or nothing lawful.
TYPE_2 = """PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber
    ReferringPhysicianName StudyID Manufacturer PositionReferenceIndicator SliceThickness ScanOptions
    MRAcquisitionType EchoTime EchoTrainLength RepetitionTime PatientPosition""".split()

# Taken over where the source has them.
TYPE_3 = """SpecificCharacterSet SeriesDate SeriesTime AcquisitionDate AcquisitionTime ContentDate ContentTime
    InstitutionName StationName StudyDescription ManufacturerModelName IssuerOfPatientID PatientAge PatientSize
    PatientWeight PatientIdentityRemoved DeidentificationMethod BodyPartExamined Laterality ScanningSequence
    SequenceVariant SequenceName InversionTime NumberOfAverages ImagingFrequency ImagedNucleus EchoNumbers
    MagneticFieldStrength SpacingBetweenSlices PixelBandwidth DeviceSerialNumber SoftwareVersions ProtocolName
    FlipAngle StudyInstanceUID AcquisitionNumber ImagePositionPatient ImageOrientationPatient FrameOfReferenceUID
    SliceLocation TriggerTime PixelSpacing""".split()

COPIED = TYPE_2 + TYPE_3
READ = COPIED + """SOPClassUID SOPInstanceUID Modality SeriesInstanceUID SeriesNumber InstanceNumber Rows Columns
    ContributingEquipmentSequence""".split()

_LAWFUL = {  # PS3.5 table 6.2-1, one value
    "AS": re.compile(rb"\d{3}[DWMY]"),
    "CS": re.compile(rb"[A-Z0-9_ ]{0,16}"),
    "DA": re.compile(rb"\d{8}"),
    "DS": re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?"),
    "IS": re.compile(rb"[+-]?\d{1,10}"),
    "LO": re.compile(rb"[^\x00-\x1a\x1c-\x1f]*"),
    "SH": re.compile(rb"[^\x00-\x1a\x1c-\x1f]*"),
    "TM": re.compile(rb"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?"),
    "UI": re.compile(rb"(?=.{3,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))+"),
}

_LONGEST = {"LO": 64, "SH": 16}  # characters

_ENUMERATED = {  # PS3.3; another value is an error, not an extension
    "Laterality": b"R L",
    "MRAcquisitionType": b"2D 3D",
    "PatientIdentityRemoved": b"YES NO",
    "PatientSex": b"M F O",
    "ScanningSequence": b"SE IR GR EP RM",
    "SequenceVariant": b"SK MTC SS TRSS SP MP OSP NONE",
}


def raw(dataset):
    """The bytes of the copied attributes that `dataset` has, by keyword."""
    found = {}
    for keyword in COPIED + ["SeriesNumber"]:
        element = dataset.get_item(tag_for_keyword(keyword))
        if element is not None and isinstance(element.value, bytes):
            found[keyword] = element.value
    # The character set is decoded as soon as the file is read; its values are plain ASCII.
    charset = dataset.get("SpecificCharacterSet")
    if charset:
        values = [charset] if isinstance(charset, str) else charset
        found["SpecificCharacterSet"] = "\\".join(values).encode("ascii", "replace")
    return found


def lawful(keyword, value):
    """`value` as bytes that its VR allows, or nothing (b""): a number too long is shortened, the rest is dropped."""
    vr = dictionary_VR(tag_for_keyword(keyword))
    value = value.strip(b" \0")
    values = [v.strip(b" ") for v in value.split(b"\\")]
    pattern = _LAWFUL.get(vr)
    if pattern and not all(pattern.fullmatch(v) for v in values):
        return b""
    # Bytes are characters only in ASCII; other text gets the benefit of the doubt.
    if any(len(v) > _LONGEST.get(vr, len(v)) and v.isascii() for v in values):
        return b""
    if keyword in _ENUMERATED and not all(v in _ENUMERATED[keyword].split() for v in values):
        return b""
    if vr == "DS":
        return b"\\".join(v if len(v) <= 16 else format_number_as_ds(float(v)).encode() for v in values)
    return value


def element(keyword, value):
    """A data element of these bytes, padded to even length as its VR asks."""
    tag = Tag(tag_for_keyword(keyword))
    vr = dictionary_VR(tag)
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    return RawDataElement(tag, vr, len(value), value, 0, False, True)


def copy(source, target):
    """Gives the dataset `target` what is copied from the slice `source`."""
    text = b""
    for keyword in COPIED:
        value = lawful(keyword, source.raw.get(keyword, b""))
        if value or keyword in TYPE_2:
            target[tag_for_keyword(keyword)] = element(keyword, value)
            text += value
    if "SpecificCharacterSet" not in target and not text.isascii():
        target.SpecificCharacterSet = _guess(text)


def _guess(text):
    """The character set of a source that uses one without saying so, which is not lawful."""
    try:
        text.decode("utf-8")
        return "ISO_IR 192"
    except UnicodeDecodeError:
        return "ISO_IR 100"
