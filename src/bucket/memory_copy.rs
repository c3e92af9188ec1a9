//! A bucket's memory taken out and replaced, while no run uses it.

use std::fs::File;
use std::path::Path;

use crate::files;
use crate::model::{AeTitle, Place, UploadId};

use super::memory::{self, MemoryError};
use super::registry::Buckets;
use super::uploads::{Uploads, Whole};

impl Buckets {
    /// A tar of a bucket's memory, open at its beginning; it goes when it is closed.
    ///
    /// The copy is made beside the uploads, fast: runs wait for the disk and not for a slow reader.
    ///
    /// # Errors
    /// [`MemoryError::InUse`] while a run is under way.
    pub async fn export_memory(&self, ae_title: &AeTitle, uploads: &Uploads) -> Result<File, MemoryError> {
        let _shut = self.shut_memory(ae_title)?;
        let (memory, uploads) = (self.layout.path(Place::Memory(ae_title)), uploads.clone());
        let path = self.layout.path(Place::Upload(&UploadId::new()));
        let copied = tokio::task::spawn_blocking(move || {
            uploads.has_room(size_of(&memory)?)?;
            files::make_directory(path.parent().unwrap_or(&path))?;
            let mut tar = File::options()
                .create_new(true)
                .read(true)
                .write(true)
                .open(&path)?;
            files::remove_file(&path)?;
            memory::export(&memory, &mut tar)?;
            std::io::Seek::rewind(&mut tar)?;
            Ok(tar)
        });
        copied.await.map_err(std::io::Error::other)?
    }

    /// Replaces a bucket's memory by what an upload has, in one step.
    ///
    /// # Errors
    /// [`MemoryError`]; the memory is as it was then.
    pub async fn import_memory(
        &self,
        ae_title: &AeTitle,
        whole: &Whole,
        uploads: &Uploads,
    ) -> Result<(), MemoryError> {
        let _changing = self.changing.lock().await;
        let _shut = self.shut_memory(ae_title)?;
        let memory = self.layout.path(Place::Memory(ae_title));
        let (tar, bytes, uploads) = (whole.path.clone(), whole.bytes, uploads.clone());
        let replaced = tokio::task::spawn_blocking(move || {
            uploads.has_room(bytes)?;
            let unpacked = memory::unpack(&tar, &memory, uploads.largest())?;
            memory::put_in_place(&unpacked, &memory)?;
            Ok::<_, MemoryError>(())
        });
        replaced.await.map_err(std::io::Error::other)??;
        self.note(ae_title, &format!("memory replaced by {}", whole.name))
            .await;
        Ok(())
    }

    /// Gives a bucket that is to be installed the memory it had on another node: a copy. Answers whether it was taken;
    /// a memory that is there stays as it is.
    ///
    /// # Errors
    /// [`MemoryError`]; there is no memory then.
    pub async fn take_memory(&self, ae_title: &AeTitle, from: &Path) -> Result<bool, MemoryError> {
        let _changing = self.changing.lock().await;
        let memory = self.layout.path(Place::Memory(ae_title));
        if memory.is_dir() {
            return Ok(false);
        }
        let from = from.to_owned();
        // Left behind by a kill it is swept with the uploads.
        let tar = self.layout.path(Place::Upload(&UploadId::new()));
        let taken = tokio::task::spawn_blocking(move || {
            files::make_directory(tar.parent().unwrap_or(&tar))?;
            let unpacked = pack(&from, &tar).and_then(|()| memory::unpack(&tar, &memory, u64::MAX));
            files::remove_file(&tar)?;
            memory::put_in_place(&unpacked?, &memory)?;
            Ok::<_, MemoryError>(())
        });
        taken.await.map_err(std::io::Error::other)??;
        Ok(true)
    }

    fn shut_memory(&self, ae_title: &AeTitle) -> Result<super::gate::Shut, MemoryError> {
        if self.store.bucket(ae_title)?.is_none() {
            return Err(MemoryError::NotInstalled(ae_title.clone()));
        }
        self.shut(ae_title)?
            .ok_or_else(|| MemoryError::InUse(ae_title.clone()))
    }
}

fn pack(memory: &Path, tar: &Path) -> Result<(), MemoryError> {
    let mut file = File::options().create_new(true).write(true).open(tar)?;
    Ok(memory::export(memory, &mut file)?)
}

/// The bytes of everything below a directory, links not followed.
fn size_of(directory: &Path) -> std::io::Result<u64> {
    let (mut bytes, mut rest) = (0_u64, vec![directory.to_owned()]);
    while let Some(directory) = rest.pop() {
        for path in files::entries(&directory)? {
            let about = std::fs::symlink_metadata(&path)?;
            bytes = bytes.saturating_add(about.len());
            if about.is_dir() {
                rest.push(path);
            }
        }
    }
    Ok(bytes)
}
