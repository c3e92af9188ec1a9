//! A container's files as a new image, and images made for a moment.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{ContainerConfig, ImageConfig};
use bollard::query_parameters::{CommitContainerOptionsBuilder, ListImagesOptionsBuilder};

use super::Docker;
use crate::container::{Error, ImageId, Labels, Result};

/// How long the engine may take to copy what changed.
const COMMIT_LIMIT: Duration = Duration::from_secs(1800);

impl Docker {
    /// Makes an image of a container's files. Binds and volumes are no part of it. Its configuration (entrypoint,
    /// user, variables …) is that of the image `base`, not what the container was started with.
    ///
    /// `tag` is the name it gets, `name:tag`, taken from the image that has it; without one it has only its id.
    /// `labels` are added to those of `base`. A running container is paused meanwhile.
    ///
    /// # Errors
    /// [`Error::Failed`] when the disk is full or the image has too many layers, [`Error::TimedOut`].
    pub async fn commit(
        &self,
        container: &str,
        base: &ImageId,
        tag: Option<(&str, &str)>,
        comment: &str,
        labels: &Labels,
    ) -> Result<ImageId> {
        let mut options = CommitContainerOptionsBuilder::new()
            .container(container)
            .comment(comment)
            .pause(true);
        if let Some((repository, tag)) = tag {
            options = options.repo(repository).tag(tag);
        }
        let mut config = of_image(self.image_config(base).await?);
        if !labels.is_empty() {
            config.labels.get_or_insert_default().extend(labels.clone());
        }
        let action = format!("save container {container:?} as an image");
        let made = self
            .ask_within(
                COMMIT_LIMIT,
                &action,
                self.client.commit_container(options.build(), config),
            )
            .await?;
        made.id.parse()
    }

    /// What an image says of how it is run.
    pub(super) async fn image_config(&self, image: &ImageId) -> Result<ImageConfig> {
        let action = format!("look up image {image}");
        match self.ask(&action, self.client.inspect_image(image.as_str())).await {
            Err(Error::Refused { status: 404, .. }) => Err(Error::NoSuchImage {
                reference: image.to_string(),
            }),
            answer => Ok(answer?.config.unwrap_or_default()),
        }
    }

    /// The images without a name that carry a label with that value.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn nameless_images(&self, label: &str, value: &str) -> Result<Vec<ImageId>> {
        let filters = HashMap::from([
            ("label", vec![format!("{label}={value}")]),
            ("dangling", vec!["true".to_owned()]),
        ]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let found = self
            .ask("list images", self.client.list_images(Some(options)))
            .await?;
        found.into_iter().map(|image| image.id.parse()).collect()
    }
}

/// The configuration of an image made from a container of another: what is empty there stays empty, where the engine
/// would fill it in from the container.
fn of_image(image: ImageConfig) -> ContainerConfig {
    ContainerConfig {
        user: image.user,
        exposed_ports: image.exposed_ports,
        env: image.env,
        cmd: image.cmd,
        healthcheck: image.healthcheck,
        args_escaped: image.args_escaped,
        volumes: image.volumes,
        working_dir: image.working_dir,
        entrypoint: Some(image.entrypoint.unwrap_or_default()),
        on_build: image.on_build,
        labels: image.labels,
        stop_signal: image.stop_signal,
        shell: image.shell,
        ..ContainerConfig::default()
    }
}
