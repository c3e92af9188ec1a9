//! Images made on this machine: pulled or built, with a word on how far it is.

use std::collections::HashMap;
use std::path::PathBuf;

use super::images::Images;
use super::{ImageId, Result};

/// What an image is built of.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The name it gets, `repository:tag`.
    pub name: String,
    /// What is sent to the engine; a `Dockerfile` has to be among it.
    pub files: Vec<ContextFile>,
    /// Values for the build alone: of those that every engine knows (`http_proxy` …) nothing stays in the image.
    pub arguments: HashMap<String, String>,
    /// Labels of the image.
    pub labels: HashMap<String, String>,
}

/// A file, directory or symbolic link of what an image is built of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFile {
    /// Where it is on this machine.
    pub source: PathBuf,
    /// Its name below the context, such as `memory/norm.csv`.
    pub name: PathBuf,
}

/// How far a build or a pull is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A step begins: `3`, `7`, `RUN apt-get update`.
    Step(u32, u32, &'a str),
    /// What the step says, a line or a piece of one.
    Said(&'a str),
}

impl Images {
    /// Builds an image. The engine's network during the build is the machine's own, so that a proxy or a mirror on the
    /// loopback address is reached.
    ///
    /// Dropping the future stops the build, and the engine removes what it had begun.
    ///
    /// # Errors
    /// [`super::Error::Failed`] with the words of the step that failed, [`super::Error::File`] for a file of the
    /// context, those of the engine.
    pub async fn build(&self, recipe: &Recipe, progress: &mut dyn FnMut(Progress<'_>)) -> Result<ImageId> {
        self.0.build(recipe, progress).await
    }

    /// Fetches an image from its registry.
    ///
    /// # Errors
    /// Those of the engine: no registry answers, or it has no such image.
    pub async fn pull(&self, reference: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        self.0.pull(reference, progress).await
    }

    /// The architecture the engine runs natively, in the words of images: `amd64`, `arm64`.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn architecture(&self) -> Result<String> {
        self.0.architecture().await
    }
}
