//! An image of what a container's files are now.

use bollard::{models::ContainerConfig, query_parameters::CommitContainerOptions};

use crate::{Engine, EngineError, connect::TRANSFER_SECONDS, images::split_tag};

/// What the image is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitSpec {
    /// `repository[:tag]`; without one the image has no name.
    pub name: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Why.
    pub message: Option<String>,
    /// Dockerfile instructions that change its configuration.
    pub changes: Vec<String>,
    /// Freeze the container meanwhile.
    pub pause: bool,
}

impl Engine {
    /// Makes an image of a container; gives its id.
    pub async fn commit_container(&self, container: &str, spec: &CommitSpec) -> Result<String, EngineError> {
        let name = spec.name.as_deref().map(split_tag);
        let options = CommitContainerOptions {
            container: Some(container.to_owned()),
            repo: name.map(|(repository, _)| repository.to_owned()),
            tag: name.map(|(_, tag)| tag.to_owned()),
            comment: spec.message.clone(),
            author: spec.author.clone(),
            pause: spec.pause,
            changes: (!spec.changes.is_empty()).then(|| spec.changes.join("\n")),
        };
        let docker = self.patient(TRANSFER_SECONDS);
        let made = docker.commit_container(options, ContainerConfig::default()).await;
        Ok(made.map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))?.id)
    }
}
