//! Networks.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models,
    query_parameters::{InspectNetworkOptions, ListNetworksOptions},
};
use serde::{Deserialize, Serialize};

use crate::{
    Engine, EngineError,
    connect::{ApiVersion, CALL_SECONDS},
};

/// The first API that knows networks without IPv4.
const ENABLE_IPV4: ApiVersion = ApiVersion { major: 1, minor: 47 };

/// A network to create.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSpec {
    /// Name in the engine.
    pub name: String,
    /// Driver; empty is the engine's default, `bridge`.
    pub driver: String,
    /// Without a way out.
    pub internal: bool,
    /// Containers outside the project may join (overlay).
    pub attachable: bool,
    /// With IPv4: yes unless said otherwise (API 1.47).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<bool>,
    /// With IPv6.
    pub ipv6: bool,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Address manager; empty is the engine's default.
    pub ipam_driver: String,
    /// Options of the address manager.
    pub ipam_options: BTreeMap<String, String>,
    /// Subnets; empty lets the engine choose.
    pub pools: Vec<IpamPool>,
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IpamPool {
    /// In CIDR form.
    pub subnet: Option<String>,
    /// Part of it that addresses are taken from.
    pub ip_range: Option<String>,
    /// The router's address.
    pub gateway: Option<String>,
    /// Addresses that are never given to containers.
    pub aux_addresses: BTreeMap<String, String>,
}

/// A network that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkDetail {
    /// Id.
    pub id: String,
    /// What it was made from.
    pub spec: NetworkSpec,
    /// Names of the containers on it; only from [`Engine::inspect_network`].
    pub containers: Vec<String>,
}

impl Engine {
    /// Creates a network; gives its id. A second one of the same name is refused, not made.
    pub async fn create_network(&self, spec: &NetworkSpec) -> Result<String, EngineError> {
        let pools: Vec<models::IpamConfig> = spec
            .pools
            .iter()
            .map(|pool| models::IpamConfig {
                subnet: pool.subnet.clone(),
                ip_range: pool.ip_range.clone(),
                gateway: pool.gateway.clone(),
                auxiliary_addresses: map(&pool.aux_addresses),
            })
            .collect();
        let ipam = !pools.is_empty() || !spec.ipam_driver.is_empty() || !spec.ipam_options.is_empty();
        let request = models::NetworkCreateRequest {
            name: spec.name.clone(),
            driver: (!spec.driver.is_empty()).then(|| spec.driver.clone()),
            internal: Some(spec.internal),
            attachable: Some(spec.attachable),
            enable_ipv4: spec.ipv4.filter(|_| self.api() >= ENABLE_IPV4),
            enable_ipv6: Some(spec.ipv6),
            options: map(&spec.options),
            labels: map(&spec.labels),
            ipam: ipam.then(|| models::Ipam {
                driver: (!spec.ipam_driver.is_empty()).then(|| spec.ipam_driver.clone()),
                options: map(&spec.ipam_options),
                config: (!pools.is_empty()).then_some(pools),
            }),
            ..models::NetworkCreateRequest::default()
        };
        // names of networks are not unique in the engine: two processes could make two
        if let Ok(existing) = self.inspect_network(&spec.name).await
            && existing.spec.name == spec.name
        {
            return Err(EngineError::Conflict { message: format!("network {} exists already", spec.name) });
        }
        Ok(self.docker.create_network(request).await.map_err(wire)?.id)
    }

    /// Networks; with `labels` only those that carry all of them.
    pub async fn networks(&self, labels: &[String]) -> Result<Vec<NetworkDetail>, EngineError> {
        let filters = (!labels.is_empty()).then(|| HashMap::from([("label".to_owned(), labels.to_vec())]));
        let list = self.docker.list_networks(Some(ListNetworksOptions { filters })).await.map_err(wire)?;
        Ok(list
            .into_iter()
            .map(|found| NetworkDetail {
                id: found.id.unwrap_or_default(),
                spec: NetworkSpec {
                    name: found.name.unwrap_or_default(),
                    driver: found.driver.unwrap_or_default(),
                    internal: found.internal.unwrap_or(false),
                    attachable: found.attachable.unwrap_or(false),
                    ipv6: found.enable_ipv6.unwrap_or(false),
                    options: found.options.unwrap_or_default().into_iter().collect(),
                    labels: found.labels.unwrap_or_default().into_iter().collect(),
                    ..ipam_of(found.ipam)
                },
                containers: Vec::new(),
            })
            .collect())
    }

    /// A network by name or id, with the containers on it.
    pub async fn inspect_network(&self, network: &str) -> Result<NetworkDetail, EngineError> {
        let found =
            self.docker.inspect_network(network, None::<InspectNetworkOptions>).await.map_err(wire)?;
        let mut containers: Vec<String> =
            found.containers.unwrap_or_default().into_values().filter_map(|end| end.name).collect();
        containers.sort();
        Ok(NetworkDetail {
            id: found.id.unwrap_or_default(),
            spec: NetworkSpec {
                name: found.name.unwrap_or_default(),
                driver: found.driver.unwrap_or_default(),
                internal: found.internal.unwrap_or(false),
                attachable: found.attachable.unwrap_or(false),
                ipv6: found.enable_ipv6.unwrap_or(false),
                options: found.options.unwrap_or_default().into_iter().collect(),
                labels: found.labels.unwrap_or_default().into_iter().collect(),
                ..ipam_of(found.ipam)
            },
            containers,
        })
    }

    /// Removes all networks of this name but one. Names are not unique in an engine: the request of a process that was
    /// killed may be carried out while its successor makes the same request. The one that containers are on stays.
    pub async fn remove_duplicate_networks(&self, name: &str) -> Result<(), EngineError> {
        let mut same = Vec::new();
        for network in self.networks(&[]).await?.into_iter().filter(|network| network.spec.name == name) {
            same.push(self.inspect_network(&network.id).await?);
        }
        // used ones first, then the order of ids, so that everybody who looks makes the same choice
        same.sort_by(|a, b| (a.containers.is_empty(), &a.id).cmp(&(b.containers.is_empty(), &b.id)));
        for network in same.iter().skip(1).filter(|network| network.containers.is_empty()) {
            match self.remove_network(&network.id).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes a network by id or name. The engine refuses while a container is on it.
    pub async fn remove_network(&self, network: &str) -> Result<(), EngineError> {
        self.docker.remove_network(network).await.map_err(wire)
    }
}

fn ipam_of(found: Option<models::Ipam>) -> NetworkSpec {
    let ipam = found.unwrap_or_default();
    NetworkSpec {
        ipam_driver: ipam.driver.unwrap_or_default(),
        ipam_options: ipam.options.unwrap_or_default().into_iter().collect(),
        pools: ipam
            .config
            .unwrap_or_default()
            .into_iter()
            .map(|pool| IpamPool {
                subnet: pool.subnet,
                ip_range: pool.ip_range,
                gateway: pool.gateway,
                aux_addresses: pool.auxiliary_addresses.unwrap_or_default().into_iter().collect(),
            })
            .collect(),
        ..NetworkSpec::default()
    }
}

fn map(items: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!items.is_empty()).then(|| items.clone().into_iter().collect())
}

fn wire(error: bollard::errors::Error) -> EngineError {
    EngineError::from_wire(error, CALL_SECONDS)
}
