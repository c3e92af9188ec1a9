//! Images themselves: brought into the engine, named, listed, taken out.
//!
//! [`Runtime`](super::Runtime) has what a job needs; this is for those who install and make buckets. Nothing here runs
//! anything of an image, and each call fails at once while the engine is away: a person waits for it.

use std::path::Path;

use bytes::Bytes;
use futures_util::Stream;

use super::{Docker, ImageId, Result};

/// The images of an engine; see [`Docker::images`].
#[derive(Clone, Debug)]
pub struct Images(pub(super) Docker);

/// An image by one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedImage {
    /// `repository:tag`.
    pub name: String,
    /// What it names now.
    pub id: ImageId,
}

impl Images {
    /// Loads a file that an engine saved (`docker save`), plain or gzip; answers the images in it, each once.
    ///
    /// # Errors
    /// [`super::Error::File`] when the file cannot be read, those of the engine: what is in it is not what was saved, its
    /// disk is full.
    pub async fn load(&self, file: &Path) -> Result<Vec<ImageId>> {
        self.0.load(file).await
    }

    /// Makes an image of the files of a container (`docker export`), plain or gzip. It has files and nothing else: no
    /// entry point, no environment, no name.
    ///
    /// # Errors
    /// As [`Images::load`].
    pub async fn import(&self, file: &Path) -> Result<ImageId> {
        self.0.import(file).await
    }

    /// An image as a tar, as [`Images::load`] takes it, piece by piece. Without a name in it.
    ///
    /// A piece that does not come within the time of one answer is an error; then the stream ends.
    pub fn save(&self, image: &ImageId) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        self.0.clone().save(image.clone())
    }

    /// Gives an image a name, taking it from the image that has it.
    ///
    /// # Errors
    /// [`super::Error::NoSuchImage`], those of the engine: a name it does not take.
    pub async fn tag(&self, image: &ImageId, repository: &str, tag: &str) -> Result<()> {
        self.0.tag_image(image, repository, tag).await
    }

    /// Takes a name from an image; with its last name, and if no container is made of it, the image goes. A name that
    /// is gone is a success.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn untag(&self, name: &str) -> Result<()> {
        self.0.remove_image(name, false).await
    }

    /// Removes an image that has no name; one that has some, is used by a container or is gone, is left.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn remove_nameless(&self, image: &ImageId) -> Result<()> {
        self.0.remove_nameless(image).await
    }

    /// The names in one repository and what they name.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn in_repository(&self, repository: &str) -> Result<Vec<NamedImage>> {
        self.0.images_in(repository).await
    }
}

impl Docker {
    /// The images of this engine.
    #[must_use]
    pub fn images(&self) -> Images {
        Images(self.clone())
    }
}
