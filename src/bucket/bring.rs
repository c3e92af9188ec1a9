//! A file of a bucket becomes an image of the engine, without running anything of it.

use std::path::Path;

use crate::container::{ImageId, Images, Runtime};

use super::archive::{Archive, ArchiveError};
use super::install::InstallError;

/// Loads or imports a file; the image has the name `repository:tag` then and no name the file brought along, so that an
/// upload names nothing on the engine, and whoever forgets the name forgets the image.
///
/// # Errors
/// [`InstallError::Archive`], [`InstallError::Engine`]; nothing is left of the image then.
pub(super) async fn bring(
    (images, runtime): (&Images, &dyn Runtime),
    file: &Path,
    limit: u64,
    (repository, tag): (&str, &str),
) -> Result<ImageId, InstallError> {
    let path = file.to_owned();
    let archive = tokio::task::spawn_blocking(move || Archive::look(&path, limit))
        .await
        .map_err(std::io::Error::other)??;
    let Archive::Saved { names } = archive else {
        let image = images.import(file).await.map_err(InstallError::Engine)?;
        images
            .tag(&image, repository, tag)
            .await
            .map_err(InstallError::Engine)?;
        return Ok(image);
    };
    let mut before = Vec::new();
    for name in names {
        let named = runtime.resolve_image(&name).await.ok().map(|image| image.id);
        before.push((name, named));
    }
    let loaded = images.load(file).await.map_err(InstallError::Engine)?;
    let image = match loaded.as_slice() {
        [image] => {
            let named = images.tag(image, repository, tag).await;
            named.map(|()| image.clone()).map_err(InstallError::Engine)
        }
        several => Err(ArchiveError::ManyImages(several.iter().map(ToString::to_string).collect()).into()),
    };
    for (name, before) in before {
        give_back(images, &name, before)
            .await
            .map_err(InstallError::Engine)?;
    }
    if image.is_err() {
        for image in loaded {
            images
                .remove_nameless(&image)
                .await
                .map_err(InstallError::Engine)?;
        }
    }
    image
}

/// Gives a name back to the image that had it.
async fn give_back(
    images: &Images,
    name: &str,
    before: Option<ImageId>,
) -> Result<(), crate::container::Error> {
    match (before, name.rsplit_once(':')) {
        (Some(image), Some((repository, tag))) => images.tag(&image, repository, tag).await,
        _ => images.untag(name).await,
    }
}
