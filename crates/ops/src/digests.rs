//! Images by digest: what a tag means today, written down.

use std::collections::BTreeMap;

use plimsoll_compose::Project;
use plimsoll_image::Reference;

use crate::{Failure, images, policy::Root};

/// Gives every image that is not built here the digest that its registry has for it now.
pub fn pin(project: &mut Project, root: &Root) -> Result<(), Failure> {
    if let Some(note) = root.policy.mirrors_note() {
        note!("{note}");
    }
    let registry = images::registry()?;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for (name, service) in &mut project.services {
        let Some(image) = service.image.as_mut().filter(|_| service.build.is_none()) else { continue };
        if let Some(pinned) = known.get(image) {
            image.clone_from(pinned);
            continue;
        }
        let reference: Reference = image.parse().map_err(|error| failed(&error, image, name))?;
        if reference.digest().is_some() {
            continue;
        }
        let digest = registry.resolve(&reference).map_err(|error| failed(&error, image, name))?;
        let pinned = format!("{image}@{digest}");
        known.insert(image.clone(), pinned.clone());
        *image = pinned;
    }
    Ok(())
}

fn failed(error: &(dyn std::error::Error + 'static), image: &str, service: &str) -> Failure {
    let failed = Failure::of(error);
    failed.note(&format!("image `{image}` of service `{service}`"))
}

/// An override file with the images alone.
pub fn lock(project: &Project, as_json: bool) -> Result<String, Failure> {
    let images: BTreeMap<&String, serde_json::Value> = project
        .services
        .iter()
        .filter_map(|(name, service)| {
            let image = service.image.as_ref().filter(|_| service.build.is_none())?;
            Some((name, serde_json::json!({ "image": image })))
        })
        .collect();
    let data = serde_json::json!({ "services": images });
    if as_json {
        Ok(serde_json::to_string_pretty(&data)? + "\n")
    } else {
        Ok(plimsoll_compose::plain_yaml(&data))
    }
}
