//! `proxies` of Docker's configuration: build arguments of every build, variables of every container.

use std::{collections::BTreeMap, io::ErrorKind, path::PathBuf};

use plimsoll_disk::{Links, read_regular};
use plimsoll_source::Failure;
use serde::Deserialize;

/// docker's configuration has a few hundred bytes; credentials make it larger.
const MAX_BYTES: u64 = 4 << 20;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    proxies: BTreeMap<String, Proxies>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Proxies {
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    no_proxy: Option<String>,
    ftp_proxy: Option<String>,
    all_proxy: Option<String>,
}

/// The proxies of every build, for the engine that `DOCKER_HOST` names.
pub fn build_args() -> Result<Vec<(String, String)>, Failure> {
    let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    variables(host.as_deref().unwrap_or("unix:///var/run/docker.sock"))
}

/// The proxies that `$DOCKER_CONFIG/config.json` gives builds and containers of the engine at `host`, in both cases of
/// their names.
pub fn variables(host: &str) -> Result<Vec<(String, String)>, Failure> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")));
    let Some(file) = folder.map(|folder| folder.join("config.json")) else { return Ok(Vec::new()) };
    let unusable = |reason: String| {
        Failure::new(
            format!("cannot read {}: {reason}", file.display()),
            "it is written by `docker login`; `proxies` holds texts",
        )
    };
    let text = match read_regular(&file, MAX_BYTES, Links::Follow) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    let config: Config = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    // an engine of a docker context is shown with its name
    let host = host.split(" (context ").next().unwrap_or(host);
    Ok(config.proxies.get(host).or_else(|| config.proxies.get("default")).map(arguments).unwrap_or_default())
}

fn arguments(proxies: &Proxies) -> Vec<(String, String)> {
    let all = [
        ("HTTP_PROXY", &proxies.http_proxy),
        ("HTTPS_PROXY", &proxies.https_proxy),
        ("NO_PROXY", &proxies.no_proxy),
        ("FTP_PROXY", &proxies.ftp_proxy),
        ("ALL_PROXY", &proxies.all_proxy),
    ];
    let given = all.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    given
        .filter(|(_, value)| !value.is_empty())
        .flat_map(|(name, value)| [(name.to_owned(), value.clone()), (name.to_lowercase(), value.clone())])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_become_arguments_of_both_cases() {
        let text =
            r#"{"auths":{},"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"a,b","ftpProxy":""}}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            arguments(&config.proxies["default"]),
            [
                pair("HTTP_PROXY", "http://p:1"),
                pair("http_proxy", "http://p:1"),
                pair("NO_PROXY", "a,b"),
                pair("no_proxy", "a,b"),
            ]
        );
    }
}
