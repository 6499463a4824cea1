//! Which image each service runs, by engine id.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use plimsoll_compose::Project;
use plimsoll_engine::{Engine, EngineError, HealthSpec, ImageDetail};
use serde::{Deserialize, Serialize};

use crate::StackError;

/// Service name to image.
pub type ImageMap = BTreeMap<String, ServiceImage>;

/// The image of a service, and what its configuration decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceImage {
    /// The engine's id, `sha256:<hex>`.
    pub id: String,
    /// The name that is shown: the Compose file's.
    pub shown: String,
    /// Stands in for software that cannot be had here.
    pub standin: bool,
    /// `USER` of the configuration; empty is root.
    pub user: String,
    /// `HEALTHCHECK` of the configuration.
    pub health: Option<HealthSpec>,
    /// The image is not built or pulled yet: what its configuration says may be different by then.
    pub foreseen: bool,
}

impl ServiceImage {
    /// From what the engine says about the image.
    pub fn from_engine(shown: impl Into<String>, standin: bool, image: ImageDetail) -> Self {
        let standin =
            standin || image.labels.get(crate::labels::STANDIN).is_some_and(|value| value == "true");
        let (shown, foreseen) = (shown.into(), false);
        Self { id: image.id, shown, standin, user: image.user, health: image.health, foreseen }
    }

    /// An image that nobody has yet: it has a name and no id.
    pub fn missing(shown: impl Into<String>) -> Self {
        Self { id: "unknown".to_owned(), shown: shown.into(), foreseen: true, ..Self::default() }
    }
}

/// Key in an [`ImageMap`] of the image of a `pre_start` hook that differs from its service's. No service has such a
/// name.
pub fn hook_image(service: &str, at: usize) -> String {
    format!("{service}/pre_start/{at}")
}

/// Images that a project's `pre_start` hooks name: key, service, image.
pub fn hook_images(project: &Project) -> Vec<(String, String, String)> {
    let mut images = Vec::new();
    for (name, service) in &project.services {
        for (at, hook) in service.pre_start.iter().enumerate() {
            if let Some(image) = hook.image.as_ref().filter(|image| service.image.as_ref() != Some(image)) {
                images.push((hook_image(name, at), name.clone(), image.clone()));
            }
        }
    }
    images
}

/// The image that the Compose file names for a service, or docker compose's default name for one that is built.
pub fn image_name(project: &Project, service: &str) -> String {
    project
        .services
        .get(service)
        .and_then(|found| found.image.clone())
        .unwrap_or_else(|| format!("{}{}{service}", project.name, project.separator()))
}

/// Looks every service's image up in the engine by its name, each name once, all at the same time.
pub async fn images_for(engine: &Engine, project: &Project) -> Result<ImageMap, StackError> {
    let hooks = hook_images(project);
    let mut users: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for service in project.services.keys() {
        users.entry(image_name(project, service)).or_default().push(service);
    }
    for (key, _, image) in &hooks {
        users.entry(image.clone()).or_default().push(key);
    }
    let found = try_join_all(users.into_iter().map(|(image, services)| async move {
        match engine.inspect_image(&image).await {
            Ok(detail) => {
                let image = ServiceImage::from_engine(image, false, detail);
                Ok(services
                    .into_iter()
                    .map(move |service| (service.clone(), image.clone()))
                    .collect::<Vec<_>>())
            }
            Err(EngineError::NotFound { .. }) => Err(StackError::MissingImage {
                buildable: services
                    .iter()
                    .any(|service| project.services.get(*service).is_some_and(|found| found.build.is_some())),
                service: services.into_iter().cloned().collect::<Vec<_>>().join(", "),
                image,
            }),
            Err(error) => Err(error.into()),
        }
    }))
    .await?;
    Ok(found.into_iter().flatten().collect())
}
