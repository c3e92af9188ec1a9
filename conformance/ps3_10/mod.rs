//! PS3.10: what lies on the disk is a DICOM file.

mod file_meta;
