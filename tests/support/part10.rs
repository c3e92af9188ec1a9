//! DICOM objects made by hand, so that a test says each byte, and Part 10 files taken apart.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
pub const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
pub const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";

pub const MR: &str = "1.2.840.10008.5.1.4.1.1.4";
pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";

/// A UID that no other call in this run returns.
pub fn uid() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!(
        "1.2.826.0.1.3680043.10.1.{}.{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A UID that no other call in this run returns, of a given length (40 to 64).
pub fn uid_of_length(length: usize) -> String {
    let uid = uid();
    let (root, number) = uid.rsplit_once('.').unwrap();
    let width = length - root.len() - 2;
    let padded = format!("{number:0>width$}");
    format!("{root}.1{}", &padded[padded.len() - width..])
}

/// One small object of a study.
#[derive(Clone, Debug)]
pub struct Object {
    pub sop_class: &'static str,
    pub sop_instance: String,
    pub study: String,
    pub series: String,
    pub transfer_syntax: &'static str,
    /// Series Description; none if empty.
    pub description: &'static str,
    /// Length of the pixel data; it is zeros, and takes no room on the disk.
    pub pixels: u32,
}

impl Object {
    /// An MR image of a new series in a new study.
    pub fn new() -> Self {
        Self {
            sop_class: MR,
            sop_instance: uid(),
            study: uid(),
            series: uid(),
            transfer_syntax: EXPLICIT_LITTLE,
            description: "",
            pixels: 4096,
        }
    }

    /// So many images of one series.
    pub fn series(count: usize) -> Vec<Self> {
        let first = Self::new();
        (0..count)
            .map(|_| Self {
                sop_instance: uid(),
                ..first.clone()
            })
            .collect()
    }

    /// Writes it as a Part 10 file named after nothing a receiver could use.
    pub fn write(&self, directory: &Path) -> PathBuf {
        fs::create_dir_all(directory).unwrap();
        let path = directory.join(format!("{}.dcm", uid()));
        let mut file = File::create(&path).unwrap();
        file.write_all(&self.meta()).unwrap();
        if self.is_native() {
            file.write_all(&self.before_pixels()).unwrap();
            let end = file.metadata().unwrap().len() + u64::from(self.pixels);
            file.set_len(end).unwrap();
        } else {
            file.write_all(&self.data_set()).unwrap();
        }
        path
    }

    /// Its data set, whole.
    pub fn data_set(&self) -> Vec<u8> {
        let mut set = self.before_pixels();
        if self.is_encapsulated() {
            return set;
        }
        set.resize(set.len() + self.pixels as usize, 0);
        if self.is_deflated() {
            let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            deflate.write_all(&set).unwrap();
            set = deflate.finish().unwrap();
            // Of even length (PS3.5 A.5).
            set.resize(set.len().next_multiple_of(2), 0);
        }
        set
    }

    /// The data set as far as it is not zeros: all of it when encapsulated; not deflated.
    fn before_pixels(&self) -> Vec<u8> {
        let mut set = self.attributes();
        if self.is_encapsulated() {
            // Undefined length, an empty offset table, one fragment, the delimiter.
            set.extend_from_slice(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff");
            set.extend_from_slice(b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0\xff\xd8\xff\xd9");
            set.extend_from_slice(b"\xfe\xff\xdd\xe0\0\0\0\0");
        } else {
            set.extend(self.element(0x7fe0, 0x0010, "OW", &[], self.pixels));
        }
        set
    }

    fn is_native(&self) -> bool {
        !self.is_deflated() && !self.is_encapsulated()
    }

    /// Deflated as a whole: its own syntax, and those of JPIP (PS3.5 §A.5, §A.7).
    fn is_deflated(&self) -> bool {
        let jpip = ["1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"];
        self.transfer_syntax == DEFLATED || jpip.contains(&self.transfer_syntax)
    }

    /// Whatever is not native is encapsulated (PS3.5 §A.4), but for what is deflated as a whole.
    fn is_encapsulated(&self) -> bool {
        let native = [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG];
        !self.is_deflated() && !native.contains(&self.transfer_syntax)
    }

    fn meta(&self) -> Vec<u8> {
        // File meta information is always explicit little endian (PS3.10 §7.1).
        let meta = Self {
            transfer_syntax: EXPLICIT_LITTLE,
            ..self.clone()
        };
        let mut group = meta.element(2, 0x0001, "OB", &[0, 1], 0);
        group.extend(meta.text(2, 0x0002, "UI", self.sop_class));
        group.extend(meta.text(2, 0x0003, "UI", &self.sop_instance));
        group.extend(meta.text(2, 0x0010, "UI", self.transfer_syntax));
        group.extend(meta.text(2, 0x0012, "UI", "1.2.826.0.1.3680043.10.1"));
        let length = u32::try_from(group.len()).unwrap().to_le_bytes();
        [
            vec![0; 128],
            b"DICM".to_vec(),
            meta.element(2, 0, "UL", &length, 0),
            group,
        ]
        .concat()
    }

    /// What stands before the pixel data.
    pub fn attributes(&self) -> Vec<u8> {
        let number = |n: u16| {
            if self.is_big() {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let modality = if self.sop_class == MR { "MR" } else { "OT" };
        [
            self.text(0x0008, 0x0016, "UI", self.sop_class),
            self.text(0x0008, 0x0018, "UI", &self.sop_instance),
            self.text(0x0008, 0x0020, "DA", "20240229"),
            self.text(0x0008, 0x0060, "CS", modality),
            match self.description {
                "" => Vec::new(),
                text => self.text(0x0008, 0x103e, "LO", text),
            },
            self.text(0x0010, 0x0010, "PN", "Test^Object"),
            self.text(0x0010, 0x0020, "LO", "T1"),
            self.text(0x0020, 0x000d, "UI", &self.study),
            self.text(0x0020, 0x000e, "UI", &self.series),
            self.text(0x0020, 0x0013, "IS", "1"),
            self.element(0x0028, 0x0010, "US", &number(32), 0),
            self.element(0x0028, 0x0011, "US", &number(64), 0),
            self.element(0x0028, 0x0100, "US", &number(16), 0),
        ]
        .concat()
    }

    /// One element of text, padded to even length.
    pub fn text(&self, group: u16, element: u16, vr: &str, value: &str) -> Vec<u8> {
        let mut value = value.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == "UI" { 0 } else { b' ' });
        }
        self.element(group, element, vr, &value, 0)
    }

    /// One element; `more` bytes of its value are left to the caller.
    pub fn element(&self, group: u16, element: u16, vr: &str, value: &[u8], more: u32) -> Vec<u8> {
        let big = self.is_big();
        let short = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let long = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let length = u32::try_from(value.len()).unwrap() + more;
        let mut bytes = [short(group), short(element)].concat();
        if self.transfer_syntax == IMPLICIT_LITTLE {
            bytes.extend(long(length));
        } else if matches!(vr, "OB" | "OW") {
            bytes.extend([vr.as_bytes(), &[0, 0], &long(length)].concat());
        } else {
            bytes.extend([vr.as_bytes(), &short(u16::try_from(length).unwrap())].concat());
        }
        bytes.extend(value);
        bytes
    }

    fn is_big(&self) -> bool {
        self.transfer_syntax == EXPLICIT_BIG
    }
}

/// Writes objects into a directory.
pub fn write_all(objects: &[Object], directory: &Path) -> Vec<PathBuf> {
    objects.iter().map(|o| o.write(directory)).collect()
}

/// The data set of a Part 10 file: what follows the file meta information.
pub fn data_set(file: &[u8]) -> &[u8] {
    assert_eq!(&file[128..132], b"DICM", "no Part 10 file");
    let mut at = 132;
    while file[at..at + 2] == [2, 0] {
        let long = matches!(&file[at + 4..at + 6], b"OB" | b"OW" | b"UN" | b"UT" | b"SQ");
        at += if long {
            12 + u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize
        } else {
            8 + usize::from(u16::from_le_bytes(file[at + 6..at + 8].try_into().unwrap()))
        };
    }
    &file[at..]
}

/// The SOP Instance UID and the transfer syntax that a file's meta information names.
pub fn identity(path: &Path) -> (String, String) {
    let file = File::open(path).unwrap();
    let mut file = std::io::BufReader::new(file);
    std::io::copy(&mut std::io::Read::take(&mut file, 128), &mut std::io::sink()).unwrap();
    let meta = dicom_object::FileMetaTable::from_reader(file).unwrap();
    let clean = |text: &str| text.trim_end_matches(['\0', ' ']).to_owned();
    (
        clean(meta.media_storage_sop_instance_uid()),
        clean(meta.transfer_syntax()),
    )
}

/// Puts `new` in place of each `old` of the same length.
pub fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    for at in 0..=bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
}

/// The DICOM files directly in a directory, in order of their names.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|p| p.extension().is_some_and(|e| e == "dcm"))
        .collect();
    files.sort();
    files
}
