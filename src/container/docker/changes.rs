//! What differs between a container's files and its image's.

use bollard::models::ChangeType;

use super::Docker;
use crate::container::Result;

/// A path that is not as the image has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Absolute path in the container.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It has other content or attributes; a directory also when only something below it has.
    Modified,
    /// It is gone.
    Deleted,
}

impl Docker {
    /// Everything that differs from the image, as the engine lists it: directories above a change too, binds and
    /// volumes not.
    ///
    /// # Errors
    /// [`crate::container::Error::Refused`] with status 404 when there is no such container; those of the engine.
    pub async fn changes(&self, name: &str) -> Result<Vec<Change>> {
        let action = format!("list the changes of container {name:?}");
        let found = self.ask(&action, self.client.container_changes(name)).await?;
        Ok(found
            .unwrap_or_default()
            .into_iter()
            .map(|change| Change {
                path: change.path,
                kind: match change.kind {
                    ChangeType::_0 => ChangeKind::Modified,
                    ChangeType::_1 => ChangeKind::Added,
                    ChangeType::_2 => ChangeKind::Deleted,
                },
            })
            .collect())
    }
}
