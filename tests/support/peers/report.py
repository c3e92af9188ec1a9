"""Reads a structured report with highdicom; prints what it understood as one JSON object."""

import json
import sys

import highdicom as hd
from pydicom.sr.codedict import codes

report = hd.sr.srread(sys.argv[1])
groups = []
for group in report.content.get_image_measurement_groups():
    measurements = [
        {
            "name": m.name.meaning,
            "value": m.value,
            "unit": m.unit.value,
            "sites": [site.value.meaning for site in m.finding_sites],
        }
        for m in group.get_measurements()
    ]
    texts = {
        item.name.meaning: item.value
        for item in group[0].ContentSequence
        if item.ValueType == "TEXT" and item.RelationshipType == "CONTAINS"
    }
    groups.append(
        {
            "identifier": group.tracking_identifier,
            "uid": group.tracking_uid,
            "measurements": measurements,
            "texts": texts,
        }
    )
algorithms = {
    item.name.meaning: item.value
    for item in report.content.get_image_measurement_groups()[0][0].ContentSequence
    if item.RelationshipType == "HAS CONCEPT MOD" and item.ValueType == "TEXT"
}
library = hd.sr.utils.find_content_items(report, value_type=hd.sr.ValueTypeValues.IMAGE, recursive=True)
device = report.content.get_observer_contexts(codes.DCM.Device)
print(
    json.dumps(
        {
            "class": type(report).__name__,
            "patient": str(report.PatientName),
            "study": report.StudyInstanceUID,
            "evidence": [list(uids) for uids in report.get_evidence()],
            "images": sorted(str(image.referenced_sop_instance_uid) for image in library),
            "groups": groups,
            "algorithm": algorithms,
            "devices": len(device),
        }
    )
)
