//! A bucket's versions: installed, replaced once no run is under way, rolled back, switched off, removed.

use crate::container::Error;
use crate::model::{AeTitle, Place, Timestamp};
use crate::store::{BucketRow, Removed, StoreError};

use super::bring::bring;
use super::install::{self, Inspected, InstallError};
use super::log;
use super::manifest::Manifest;
use super::registry::{Buckets, ChangeError, Installed, RemoveError};
use super::uploads::Whole;

/// How an installation stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The bucket in force.
    pub bucket: Installed,
    /// Whether what was asked for waits for runs that are under way.
    pub waits: bool,
}

impl Buckets {
    /// Installs the bucket of an image of this machine; with `force`, in place of one of the same AE title. `name`: what
    /// people call the image, where `reference` is its id.
    ///
    /// # Errors
    /// [`InstallError`]: what a node refuses, by name.
    pub async fn install(
        &self,
        reference: &str,
        name: Option<&str>,
        force: bool,
    ) -> Result<Standing, InstallError> {
        let _changing = self.changing.lock().await;
        self.install_image(reference, name.unwrap_or(reference), force)
            .await
    }

    /// Installs the bucket of an upload: loads or imports it, and keeps nothing of it where it is refused.
    ///
    /// # Errors
    /// [`InstallError`].
    pub async fn install_upload(
        &self,
        whole: &Whole,
        limit: u64,
        force: bool,
    ) -> Result<Standing, InstallError> {
        let repository = self.repository();
        let tag = format!("upload-{}", whole.id);
        let engine = (&self.images, self.runtime.as_ref());
        let image = bring(engine, &whole.path, limit, (&repository, &tag)).await?;
        crate::failpoint::reach("image-brought");
        let installed = {
            let _changing = self.changing.lock().await;
            self.install_image(image.as_str(), &whole.name, force).await
        };
        // What is installed has another name by now.
        if let Err(error) = self.images.untag(&format!("{repository}:{tag}")).await {
            tracing::warn!(%error, "take the name of an upload from its image");
        }
        installed
    }

    async fn install_image(
        &self,
        reference: &str,
        name: &str,
        force: bool,
    ) -> Result<Standing, InstallError> {
        let runtime = self.runtime.as_ref();
        let found = install::inspect(runtime, reference, &self.labels())
            .await
            .map_err(|error| error.of(name))?;
        let ae_title = found.manifest.ae_title.clone();
        let replaced = self.store.bucket(&ae_title)?;
        if let Some(other) = replaced.as_ref().filter(|_| !force) {
            return Err(InstallError::Taken {
                ae_title,
                image: other.image.clone(),
            });
        }
        let manifest = Manifest::read(found.manifest.info.clone(), self.site.get(&ae_title));
        let manifest = manifest.map_err(|source| InstallError::Manifest {
            reference: name.to_owned(),
            source,
        })?;
        if let Some(why) = self.forbids(&manifest) {
            return Err(InstallError::Forbidden { ae_title, why });
        }
        self.capacity().check(&ae_title, &manifest.settings.resources)?;
        let memory = self.layout.path(Place::Memory(&ae_title));
        install::seed_memory(runtime, &found.image, &self.labels(), &memory).await?;
        self.keep_image(&ae_title, &found).await?;
        let row = BucketRow {
            ae_title: ae_title.clone(),
            image: name.to_owned(),
            digest: found.image.id.to_string(),
            info: found.manifest.info,
            has_plugin: found.has_plugin,
            installed_at: Timestamp::now(),
        };
        if replaced.is_some() {
            self.store.set_next_version(row).await?;
            crate::failpoint::reach("version-waits");
            self.settle_one(&ae_title).await?;
            return self.standing(&ae_title);
        }
        self.write_info(&row).await?;
        self.store.install_bucket(row.clone(), false).await?;
        self.publish()?;
        self.note(&ae_title, &format!("installed {} {}", row.image, row.digest))
            .await;
        self.standing(&ae_title)
    }

    fn standing(&self, ae_title: &AeTitle) -> Result<Standing, InstallError> {
        let gone = || StoreError::State(format!("the bucket of {ae_title} was removed meanwhile"));
        Ok(Standing {
            bucket: self.get(ae_title)?.ok_or_else(gone)?,
            waits: self.store.versions(ae_title)?.next.is_some(),
        })
    }

    /// Puts every version in force whose bucket has no run under way; called whenever a run has ended. Does nothing while
    /// somebody installs: that ends with a call of its own.
    pub async fn settle(&self) {
        let Ok(_changing) = self.changing.try_lock() else {
            return;
        };
        let rows = self.store.buckets().unwrap_or_default();
        for row in rows {
            if let Err(error) = self.settle_one(&row.ae_title).await {
                tracing::error!(ae = %row.ae_title, %error, "put a bucket's new version in force; trying again");
            }
        }
    }

    async fn settle_one(&self, ae_title: &AeTitle) -> Result<(), InstallError> {
        let Some(next) = self.store.versions(ae_title)?.next else {
            return Ok(());
        };
        let Some(_shut) = self.shut(ae_title)? else {
            return Ok(());
        };
        // Before it is in force: written again where a crash comes between.
        self.write_info(&next).await?;
        self.store.take_next_version(ae_title).await?;
        self.publish()?;
        self.note(
            ae_title,
            &format!("version in force {} {}", next.image, next.digest),
        )
        .await;
        let (buckets, ae_title) = (self.clone(), ae_title.clone());
        // Nobody waits for it, and an engine in trouble holds nobody up.
        tokio::spawn(async move { buckets.forget_images(&ae_title).await });
        Ok(())
    }

    /// Puts the version before in force again, once no run is under way; a second time brings back the newer one.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn roll_back(&self, ae_title: &AeTitle) -> Result<Standing, ChangeError> {
        let _changing = self.changing.lock().await;
        if self.store.bucket(ae_title)?.is_none() {
            return Err(ChangeError::NotInstalled(ae_title.clone()));
        }
        let previous = self.store.versions(ae_title)?.previous;
        let previous = previous.ok_or_else(|| ChangeError::NoVersionBefore(ae_title.clone()))?;
        match self.runtime.resolve_image(&previous.digest).await {
            Ok(_) => {}
            Err(Error::NoSuchImage { .. }) => {
                return Err(ChangeError::ImageGone {
                    ae_title: ae_title.clone(),
                    image: previous.image,
                    digest: previous.digest,
                });
            }
            Err(error) => return Err(InstallError::Engine(error).into()),
        }
        self.store.set_next_version(previous).await?;
        self.settle_one(ae_title).await?;
        Ok(self.standing(ae_title)?)
    }

    /// Lets a bucket take studies or not, whatever its info.json says. What it took already is run.
    ///
    /// # Errors
    /// [`ChangeError::NotInstalled`], what the store says.
    pub async fn set_enabled(&self, ae_title: &AeTitle, enabled: bool) -> Result<Installed, ChangeError> {
        let _changing = self.changing.lock().await;
        if self.store.bucket(ae_title)?.is_none() {
            return Err(ChangeError::NotInstalled(ae_title.clone()));
        }
        self.store.set_enabled(ae_title, enabled).await?;
        self.publish()?;
        self.note(ae_title, if enabled { "enabled" } else { "disabled" })
            .await;
        Ok(self.standing(ae_title)?.bucket)
    }

    /// Removes a bucket and the node's files of it; its images, with their names, and the history stay.
    ///
    /// # Errors
    /// [`RemoveError`].
    pub async fn remove(&self, ae_title: &AeTitle) -> Result<(), RemoveError> {
        let _changing = self.changing.lock().await;
        match self.store.remove_bucket(ae_title).await? {
            Removed::Yes => {}
            Removed::NotThere => return Err(RemoveError::NotInstalled(ae_title.clone())),
            Removed::Busy(open) => {
                return Err(RemoveError::Busy {
                    ae_title: ae_title.clone(),
                    open,
                });
            }
        }
        self.publish()?;
        let directory = self.layout.path(Place::Stream(ae_title));
        tokio::task::spawn_blocking(move || crate::files::remove_directory(&directory))
            .await
            .map_err(std::io::Error::other)??;
        self.note(ae_title, "removed").await;
        Ok(())
    }

    async fn write_info(&self, row: &BucketRow) -> Result<(), InstallError> {
        let info = self.layout.path(Place::BucketInfo(&row.ae_title));
        let text = serde_json::to_vec_pretty(&row.info).unwrap_or_default();
        tokio::task::spawn_blocking(move || crate::files::replace_file(&info, &text))
            .await
            .map_err(std::io::Error::other)??;
        Ok(())
    }

    /// Where the images of this node's buckets have a name, so that nobody takes them for garbage.
    fn repository(&self) -> String {
        format!("magickbox/node-{}", self.store.node_id())
    }

    async fn keep_image(&self, ae_title: &AeTitle, found: &Inspected) -> Result<(), InstallError> {
        let tag = tag(found.image.id.as_str(), ae_title);
        let kept = self.images.tag(&found.image.id, &self.repository(), &tag).await;
        kept.map_err(InstallError::Engine)
    }

    /// Takes this node's names from images that are no version of the bucket any more.
    async fn forget_images(&self, ae_title: &AeTitle) {
        let _changing = self.changing.lock().await;
        if let Err(error) = self.try_forget_images(ae_title).await {
            tracing::warn!(ae = %ae_title, %error, "forget the images of earlier versions");
        }
    }

    async fn try_forget_images(&self, ae_title: &AeTitle) -> Result<(), InstallError> {
        let versions = self.store.versions(ae_title)?;
        let rows = [self.store.bucket(ae_title)?, versions.previous, versions.next];
        let wanted: Vec<_> = rows
            .iter()
            .flatten()
            .map(|row| tag(&row.digest, ae_title))
            .collect();
        if wanted.is_empty() {
            // Removed meanwhile: its images stay.
            return Ok(());
        }
        let of_title = title_of_tag(ae_title);
        let named = self.images.in_repository(&self.repository()).await;
        for image in named.map_err(InstallError::Engine)? {
            let tag = image.name.rsplit_once(':').map_or("", |(_, tag)| tag);
            let is_ours = tag.split_once('-').is_some_and(|(_, title)| title == of_title);
            if is_ours && !tag.starts_with("upload-") && !wanted.iter().any(|wanted| wanted == tag) {
                self.images
                    .untag(&image.name)
                    .await
                    .map_err(InstallError::Engine)?;
                tracing::info!(ae = %ae_title, digest = %image.id, "the image of an earlier version is not kept any more");
            }
        }
        Ok(())
    }

    /// A line in the log and in the bucket's own; a disk that does not take it stops nothing.
    pub(super) async fn note(&self, ae_title: &AeTitle, text: &str) {
        tracing::info!(ae = %ae_title, "bucket: {text}");
        let (layout, ae_title, text) = (self.layout.clone(), ae_title.clone(), text.to_owned());
        let written = tokio::task::spawn_blocking(move || log::append(&layout, &ae_title, "-", &text)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "a line of a bucket's log is lost");
        }
    }
}

/// The tag of a version: the beginning of its digest, and whose it is.
fn tag(digest: &str, ae_title: &AeTitle) -> String {
    let short: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    format!("{short}-{}", title_of_tag(ae_title))
}

/// An AE title as a tag takes it: letters, digits, `.`, `-`, and `_` before the number of anything else.
fn title_of_tag(ae_title: &AeTitle) -> String {
    let one = |c: char| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') => c.to_string(),
        c => format!("_{:02x}", u32::from(c)),
    };
    ae_title.as_str().chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ae_title_makes_a_tag_of_its_own_that_an_engine_takes() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let of = |title: &str| tag(&digest, &AeTitle::parse(title).unwrap());
        assert_eq!(of("ProcT1"), "0123456789ab-ProcT1");
        assert_eq!(of("-PROC T_1/.."), "0123456789ab--PROC_20T_5f1_2f..");
    }
}
