//! What the engine's data takes on its disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Engine, EngineError};

/// Bytes on the engine's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUsage {
    /// All layers of all images; shared layers once.
    pub images: u64,
    /// Writable layers of containers.
    pub containers: u64,
    /// Volume name to bytes.
    pub volumes: BTreeMap<String, u64>,
    /// The engine's own build cache.
    pub build_cache: u64,
}

impl Engine {
    /// Measures. The engine walks its directories: this can take seconds.
    pub async fn disk_usage(&self) -> Result<DiskUsage, EngineError> {
        let answer = self.raw_get("/system/df").await?;
        let sum = |list: &str, key: &str| -> u64 {
            items(&answer, list).iter().filter_map(|item| item.get(key)?.as_u64()).sum()
        };
        let volumes = items(&answer, "Volumes").iter().filter_map(|volume| {
            let name = volume.get("Name")?.as_str()?.to_owned();
            Some((name, volume.get("UsageData")?.get("Size")?.as_u64().unwrap_or(0)))
        });
        Ok(DiskUsage {
            images: answer.get("LayersSize").and_then(Value::as_u64).unwrap_or(0),
            containers: sum("Containers", "SizeRw"),
            volumes: volumes.collect(),
            build_cache: sum("BuildCache", "Size"),
        })
    }
}

fn items<'a>(answer: &'a Value, list: &str) -> &'a [Value] {
    answer.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
