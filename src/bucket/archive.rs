//! What a file of a bucket is: an image that an engine saved, or the files of a container.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// The largest manifest.json that is read, in bytes.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// A file of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Archive {
    /// `docker save`: one image.
    Saved {
        /// The names it brings along, `repository:tag`.
        names: Vec<String>,
    },
    /// `docker export`: the files of a container.
    Exported,
}

/// Why a file is no bucket's.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Neither a tar nor one in gzip, or broken.
    #[error("it is no tar file, plain or gzip ({0}): make one with docker save or docker export")]
    NotATar(io::Error),
    /// Several images.
    #[error("it has {} images ({}): save one of them alone", .0.len(), .0.join(", "))]
    ManyImages(Vec<String>),
    /// Too much comes out of it.
    #[error("more than {limit} bytes come out of it: raise [http] largest_upload")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
}

/// An image of manifest.json as `docker save` writes it.
#[derive(Deserialize)]
struct SavedImage {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags")]
    names: Option<Vec<String>>,
    #[serde(rename = "Layers")]
    _layers: Vec<String>,
}

impl Archive {
    /// Reads every header of a tar; `limit`: the most bytes that may come out of it.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn look(path: &Path, limit: u64) -> Result<Self, ArchiveError> {
        let mut file = File::open(path).map_err(ArchiveError::NotATar)?;
        let mut magic = [0; 2];
        let is_gzip = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        file.seek(SeekFrom::Start(0)).map_err(ArchiveError::NotATar)?;
        let images = if is_gzip {
            let mut unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 20, file)).take(limit + 1);
            let found = saved_images(tar::Archive::new(&mut unpacked).entries());
            if unpacked.limit() == 0 {
                return Err(ArchiveError::TooLarge { limit });
            }
            found
        } else {
            saved_images(tar::Archive::new(file).entries_with_seek())
        };
        let Some(images) = images.map_err(ArchiveError::NotATar)? else {
            return Ok(Self::Exported);
        };
        let several = images.len() > 1;
        let names = images.into_iter().flat_map(|image| match image.names {
            Some(names) if !names.is_empty() => names,
            _ if several => vec![image.config],
            _ => Vec::new(),
        });
        let names: Vec<_> = names.map(|name| printable(&name)).collect();
        if several {
            return Err(ArchiveError::ManyImages(names));
        }
        Ok(Self::Saved { names })
    }
}

/// The images of manifest.json; `None` where there is no such file. A container may have one of its own: what is in it
/// tells.
fn saved_images<'a, R: Read + 'a>(
    entries: io::Result<tar::Entries<'a, R>>,
) -> io::Result<Option<Vec<SavedImage>>> {
    let (mut found, mut seen) = (None, 0_u64);
    for entry in entries? {
        let entry = entry?;
        seen += 1;
        let path = entry.path_bytes();
        let is_manifest = path.strip_prefix(b"./").unwrap_or(&path) == b"manifest.json";
        drop(path);
        if is_manifest && entry.size() <= LARGEST_MANIFEST {
            let mut text = Vec::new();
            entry.take(LARGEST_MANIFEST).read_to_end(&mut text)?;
            found = serde_json::from_slice::<Vec<SavedImage>>(&text).ok();
        }
    }
    if seen == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "nothing is in it"));
    }
    Ok(found.filter(|images| !images.is_empty()))
}

/// A name of a file as it may stand in a message.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn tar(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    fn look(bytes: &[u8]) -> Result<Archive, ArchiveError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Archive::look(file.path(), LIMIT)
    }

    const ONE: &str = r#"[{"Config":"a.json","RepoTags":["a:1"],"Layers":["l/layer.tar"]}]"#;

    #[test]
    fn a_saved_image_and_the_files_of_a_container_are_told_apart_plain_and_gzip() {
        let saved = tar(&[("l/layer.tar", "x"), ("manifest.json", ONE)]);
        let exported = tar(&[("root/work.sh", "#!/bin/sh"), ("manifest.json", "{\"app\": 1}")]);
        let names = vec!["a:1".to_owned()];
        for pack in [|b: &[u8]| b.to_vec(), gzip] {
            assert_eq!(
                look(&pack(&saved)).unwrap(),
                Archive::Saved { names: names.clone() }
            );
            assert_eq!(look(&pack(&exported)).unwrap(), Archive::Exported);
        }
        let nameless = ONE.replace("[\"a:1\"]", "null");
        let nameless = tar(&[("manifest.json", &nameless)]);
        assert_eq!(look(&nameless).unwrap(), Archive::Saved { names: vec![] });
    }

    #[test]
    fn what_is_no_bucket_is_refused_by_name() {
        let two = r#"[{"Config":"a","RepoTags":["a:1"],"Layers":[]},{"Config":"b.json","RepoTags":null,"Layers":[]}]"#;
        let error = look(&tar(&[("manifest.json", two)])).unwrap_err().to_string();
        assert!(error.contains("2 images (a:1, b.json)"), "{error}");
        let whole = tar(&[("a", "content")]);
        for bad in [
            b"".as_slice(),
            b"PK\x03\x04 no tar",
            &[0; 1024],
            &[0x1f, 0x8b, 8, 0],
            &gzip(&whole)[..30],
        ] {
            let error = look(bad).unwrap_err();
            assert!(matches!(error, ArchiveError::NotATar(_)), "{error}");
        }
    }

    #[test]
    fn a_small_file_out_of_which_too_much_comes_is_refused() {
        let bomb = gzip(&tar(&[("zeros", &"0".repeat(2 << 20))]));
        assert!(bomb.len() < 100_000);
        assert!(matches!(
            look(&bomb),
            Err(ArchiveError::TooLarge { limit: LIMIT })
        ));
    }
}
