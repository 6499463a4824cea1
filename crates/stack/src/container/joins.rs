//! What a container shares with others: networks, links, namespaces, volumes.

use plimsoll_compose::{Project, Service};
use plimsoll_engine::Attachment;

use crate::desired;

/// The option that names the interface in the container (engine 28).
const INTERFACE_NAME: &str = "com.docker.network.endpoint.ifname";

/// `service` or `container:NAME`, with an optional `:ro`.
pub(super) fn volumes_from(project: &Project, source: &str) -> String {
    if let Some(container) = source.strip_prefix("container:") {
        return container.to_owned();
    }
    let (service, mode) =
        source.split_once(':').map_or((source, None), |(service, mode)| (service, Some(mode)));
    let container = container_name(project, service);
    mode.map_or(container.clone(), |mode| format!("{container}:{mode}"))
}

/// `service:NAME` means the first container of that service.
pub(super) fn namespace(project: &Project, mode: Option<&str>) -> Option<String> {
    let mode = mode?;
    Some(match mode.strip_prefix("service:") {
        Some(service) => format!("container:{}", container_name(project, service)),
        None => mode.to_owned(),
    })
}

fn container_name(project: &Project, service: &str) -> String {
    // one that is left alone has its name too
    let found = project.services.get(service).or_else(|| project.disabled_services.get(service));
    let fixed = found.and_then(|service| service.container_name.clone());
    let join = project.separator();
    fixed.unwrap_or_else(|| format!("{}{join}{service}{join}1", project.name))
}

pub(super) fn attachments(project: &Project, name: &str, service: &Service) -> Vec<Attachment> {
    if service.network_mode.is_some() {
        return Vec::new();
    }
    let mut joined: Vec<_> = service.networks.iter().collect();
    let priority =
        |network: &Option<plimsoll_compose::ServiceNetwork>| network.as_ref().map_or(0, |n| n.priority);
    joined.sort_by_key(|(_, network)| std::cmp::Reverse(priority(network)));
    let links = links(project, service);
    let mut attachments: Vec<Attachment> = joined
        .into_iter()
        .map(|(key, network)| {
            let network = network.clone().unwrap_or_default();
            let mut aliases = vec![name.to_owned()];
            aliases.extend(network.aliases.iter().filter(|alias| *alias != name).cloned());
            let mut driver_opts = desired::sorted(&network.driver_opts);
            if let Some(name) = &network.interface_name {
                driver_opts.insert(INTERFACE_NAME.to_owned(), name.clone());
            }
            Attachment {
                network: desired::network_name(project, key),
                aliases,
                links: links.clone(),
                ipv4: network.ipv4_address,
                ipv6: network.ipv6_address,
                link_local: network.link_local_ips,
                mac: network.mac_address,
                driver_opts,
                gateway_priority: Some(network.gw_priority).filter(|priority| *priority != 0),
            }
        })
        .collect();
    if let (Some(first), Some(mac)) = (attachments.first_mut(), &service.mac_address) {
        first.mac.get_or_insert_with(|| mac.clone());
    }
    attachments
}

/// Names that only this container has for others: of `links` under the alias, the service's name with a number and
/// the container's name, of `external_links` under the alias.
pub(super) fn links(project: &Project, service: &Service) -> Vec<String> {
    let join = project.separator();
    let mut links = Vec::new();
    for link in &service.links {
        let (other, alias) = link.split_once(':').unwrap_or((link, link));
        let found = project.services.get(other).or_else(|| project.disabled_services.get(other));
        let Some(found) = found else { continue };
        for number in 1..=found.replicas().max(0) {
            let own = || format!("{}{join}{other}{join}{number}", project.name);
            let container = found.container_name.clone().unwrap_or_else(own);
            links.extend([format!("{container}:{alias}"), format!("{container}:{other}{join}{number}")]);
        }
    }
    for link in &service.external_links {
        let (container, alias) = link.split_once(':').unwrap_or((link, link));
        links.push(format!("{container}:{alias}"));
    }
    links.sort();
    links.dedup();
    links
}
