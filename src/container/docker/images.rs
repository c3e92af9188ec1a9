//! Bringing images in and out, and their names.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use bollard::body_try_stream;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptionsBuilder, ListImagesOptionsBuilder,
    RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use super::Docker;
use crate::container::images::NamedImage;
use crate::container::{Error, ImageId, Result};

/// A piece of a file on its way to the engine, in bytes.
const PIECE: usize = 1 << 20;

/// What the engine says when it has read it all, before the id or the name of an image.
const LOADED_ID: &str = "Loaded image ID: ";
const LOADED_NAME: &str = "Loaded image: ";

impl Docker {
    pub(in crate::container) async fn load(&self, file: &Path) -> Result<Vec<ImageId>> {
        let action = "load an image";
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let body = body_try_stream(pieces(open(file).await?, file));
        let mut said = Vec::new();
        let mut answers = std::pin::pin!(self.client.import_image(options, body, None));
        while let Some(answer) = self.ask_while_it_works(action, answers.next()).await? {
            said.extend(answer.stream);
        }
        let mut images = Vec::new();
        for line in said.iter().flat_map(|text| text.lines()) {
            let id = if let Some(id) = line.trim().strip_prefix(LOADED_ID) {
                id.parse()?
            } else if let Some(name) = line.trim().strip_prefix(LOADED_NAME) {
                super::machine::resolve_image(self, name).await?.id
            } else {
                continue;
            };
            if !images.contains(&id) {
                images.push(id);
            }
        }
        Ok(images)
    }

    pub(in crate::container) async fn import(&self, file: &Path) -> Result<ImageId> {
        let action = "import the files of a container";
        let options = CreateImageOptionsBuilder::new().from_src("-").build();
        let body = body_try_stream(pieces(open(file).await?, file));
        let mut status = None;
        let mut answers = std::pin::pin!(self.client.create_image(Some(options), Some(body), None));
        while let Some(answer) = self.ask_while_it_works(action, answers.next()).await? {
            status = answer.status.or(status);
        }
        status.unwrap_or_default().trim().parse()
    }

    pub(in crate::container) fn save(
        self,
        image: ImageId,
    ) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let pieces = self.client.export_image(image.as_str()).boxed();
        stream::unfold((self, pieces, false), |(docker, mut pieces, ended)| async move {
            if ended {
                return None;
            }
            let piece = docker
                .ask("save an image", async { pieces.next().await.transpose() })
                .await
                .transpose()?;
            let ended = piece.is_err();
            Some((piece, (docker, pieces, ended)))
        })
    }

    pub(in crate::container) async fn tag_image(
        &self,
        image: &ImageId,
        repository: &str,
        tag: &str,
    ) -> Result<()> {
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        let action = format!("name image {image} {repository}:{tag}");
        match self
            .ask(&action, self.client.tag_image(image.as_str(), Some(options)))
            .await
        {
            Err(Error::Refused { status: 404, .. }) => Err(Error::NoSuchImage {
                reference: image.to_string(),
            }),
            answer => answer,
        }
    }

    pub(in crate::container) async fn remove_image(&self, name: &str, force: bool) -> Result<()> {
        let options = RemoveImageOptionsBuilder::new().force(force).build();
        let action = format!("remove image {name:?}");
        match self
            .ask(&action, self.client.remove_image(name, Some(options), None))
            .await
        {
            Ok(_) | Err(Error::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(in crate::container) async fn remove_nameless(&self, image: &ImageId) -> Result<()> {
        let action = format!("look up image {image}");
        let named = match self.ask(&action, self.client.inspect_image(image.as_str())).await {
            Err(Error::Refused { status: 404, .. }) => return Ok(()),
            answer => !answer?.repo_tags.unwrap_or_default().is_empty(),
        };
        if named {
            return Ok(());
        }
        match self.remove_image(image.as_str(), false).await {
            Err(Error::Refused { status: 409, .. }) => Ok(()),
            answer => answer,
        }
    }

    pub(in crate::container) async fn images_in(&self, repository: &str) -> Result<Vec<NamedImage>> {
        let filters = HashMap::from([("reference", vec![repository.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self
            .ask("list images", self.client.list_images(Some(options)))
            .await?;
        let begin = format!("{repository}:");
        let mut named = Vec::new();
        for image in listed {
            let id: ImageId = image.id.parse()?;
            let names = image
                .repo_tags
                .into_iter()
                .filter(|name| name.starts_with(&begin));
            named.extend(names.map(|name| NamedImage { name, id: id.clone() }));
        }
        Ok(named)
    }

    /// The next answer of a call during which the engine may be busy with a whole image: unpacking the largest layer says
    /// nothing for minutes.
    async fn ask_while_it_works<T>(
        &self,
        action: &str,
        next: impl Future<Output = Option<std::result::Result<T, bollard::errors::Error>>>,
    ) -> Result<Option<T>> {
        let limit = self.config.call_timeout.saturating_mul(30);
        self.ask_within(limit, action, async { next.await.transpose() })
            .await
    }
}

async fn open(file: &Path) -> Result<std::fs::File> {
    let path = file.to_owned();
    let opened = tokio::task::spawn_blocking(move || std::fs::File::open(path)).await;
    opened
        .map_err(std::io::Error::other)
        .flatten()
        .map_err(|source| Error::File {
            path: file.to_owned(),
            source,
        })
}

/// A file piece by piece, read off the runtime's threads.
fn pieces(
    file: std::fs::File,
    path: &Path,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static + use<> {
    let path: PathBuf = path.to_owned();
    stream::try_unfold((file, path), |(mut file, path)| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            Ok::<_, std::io::Error>((piece, file))
        });
        let (piece, file) = read.await.map_err(std::io::Error::other)??;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), (file, path))))
    })
}
