//! Volumes.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models,
    query_parameters::{ListVolumesOptions, RemoveVolumeOptions},
};
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, connect::CALL_SECONDS};

/// A volume to create.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSpec {
    /// Name in the engine.
    pub name: String,
    /// Driver; empty is `local`.
    pub driver: String,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A volume that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeDetail {
    /// What it was made from.
    pub spec: VolumeSpec,
    /// Where the engine keeps it on its host.
    pub mountpoint: String,
}

impl Engine {
    /// Creates a volume. One of the same name and driver is fine and keeps its content and options.
    pub async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), EngineError> {
        let some = |items: &BTreeMap<String, String>| -> Option<HashMap<String, String>> {
            (!items.is_empty()).then(|| items.clone().into_iter().collect())
        };
        let request = models::VolumeCreateRequest {
            name: Some(spec.name.clone()),
            driver: (!spec.driver.is_empty()).then(|| spec.driver.clone()),
            driver_opts: some(&spec.options),
            labels: some(&spec.labels),
            ..models::VolumeCreateRequest::default()
        };
        self.docker.create_volume(request).await.map_err(wire)?;
        Ok(())
    }

    /// Volumes; with `labels` only those that carry all of them.
    pub async fn volumes(&self, labels: &[String]) -> Result<Vec<VolumeDetail>, EngineError> {
        let filters = (!labels.is_empty()).then(|| HashMap::from([("label".to_owned(), labels.to_vec())]));
        let list = self.docker.list_volumes(Some(ListVolumesOptions { filters })).await.map_err(wire)?;
        Ok(list.volumes.unwrap_or_default().into_iter().map(detail).collect())
    }

    /// A volume by name.
    pub async fn inspect_volume(&self, volume: &str) -> Result<VolumeDetail, EngineError> {
        Ok(detail(self.docker.inspect_volume(volume).await.map_err(wire)?))
    }

    /// Removes a volume and its content. The engine refuses while a container has it.
    pub async fn remove_volume(&self, volume: &str) -> Result<(), EngineError> {
        self.docker.remove_volume(volume, None::<RemoveVolumeOptions>).await.map_err(wire)
    }
}

fn detail(found: models::Volume) -> VolumeDetail {
    VolumeDetail {
        spec: VolumeSpec {
            name: found.name,
            driver: found.driver,
            options: found.options.into_iter().collect(),
            labels: found.labels.into_iter().collect(),
        },
        mountpoint: found.mountpoint,
    }
}

fn wire(error: bollard::errors::Error) -> EngineError {
    EngineError::from_wire(error, CALL_SECONDS)
}
