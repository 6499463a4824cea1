//! Finding the engine and agreeing on an API version.
//!
//! The client library builds `/v1.41/containers/json` and then joins the bare path over it, so that no version is ever
//! sent and an engine answers in its newest form. [`prefix_version`] is the one place that puts the version back.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bollard::{API_DEFAULT_VERSION, Docker};

use crate::{
    address::{self, Address},
    error::{EngineError, chain},
    relay::{self, Relay},
};

/// The socket of a system-wide Docker.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The oldest API that has everything that is used (Docker Engine 20.10).
const OLDEST: ApiVersion = ApiVersion { major: 1, minor: 41 };
/// The newest API that this code was written for. A newer engine is asked to answer in this version.
const NEWEST: ApiVersion = ApiVersion { major: 1, minor: 47 };
/// How long an ordinary call may take before its first byte of answer.
pub(crate) const CALL_SECONDS: u64 = 120;
/// The same for calls that move image data.
pub(crate) const TRANSFER_SECONDS: u64 = 3600;

/// An API version, ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// The part before the dot.
    pub major: u16,
    /// The part after the dot.
    pub minor: u16,
}

impl ApiVersion {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A connection to one engine. Cheap to clone; every call opens its own stream.
#[derive(Clone)]
pub struct Engine {
    pub(crate) docker: Docker,
    host: String,
    api: ApiVersion,
    /// Kept as long as a clone of the connection is.
    relay: Option<Arc<Relay>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("host", &self.host).field("api", &self.api).finish_non_exhaustive()
    }
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST`, `DOCKER_CONTEXT` or `docker context use` names, else to the first of
    /// the usual sockets that exists, and agrees on an API version.
    pub async fn connect() -> Result<Self, EngineError> {
        match address::wanted(&|name| std::env::var(name).ok())? {
            Some(address) => Self::connect_by(address).await,
            None => Self::connect_to(&format!("unix://{}", default_socket().display())).await,
        }
    }

    /// Connects to `unix:///path`, `tcp://host:port`, `http://host:port` or `ssh://user@host`, without TLS.
    pub async fn connect_to(host: &str) -> Result<Self, EngineError> {
        Self::connect_by(Address { host: host.to_owned(), ..Address::default() }).await
    }

    async fn connect_by(address: Address) -> Result<Self, EngineError> {
        let Address { host, tls, context } = address;
        let no_engine = |why: String| EngineError::NoEngine { host: host.clone(), why };
        let tcp = host.starts_with("tcp://") || host.starts_with("http://");
        let way = match tls {
            Some(files) if tcp || host.starts_with("https://") => {
                Some(relay::tls(&host, &files).map_err(no_engine)?)
            }
            None if host.starts_with("https://") => {
                Some(relay::tls(&host, &address::TlsFiles::default()).map_err(no_engine)?)
            }
            _ => relay::ssh(&host),
        };
        let relay = match way {
            Some(way) => Some(Arc::new(Relay::open(way).map_err(|error| no_engine(error.to_string()))?)),
            None => None,
        };
        let docker = match (&relay, host.strip_prefix("unix://")) {
            (Some(relay), _) => Docker::connect_with_unix(&relay.socket(), CALL_SECONDS, API_DEFAULT_VERSION),
            (None, Some(path)) if !Path::new(path).exists() => {
                return Err(no_engine("there is no such socket".into()));
            }
            (None, Some(_)) => Docker::connect_with_unix(&host, CALL_SECONDS, API_DEFAULT_VERSION),
            (None, None) if tcp => Docker::connect_with_http(&host, CALL_SECONDS, API_DEFAULT_VERSION),
            (None, None) => return Err(EngineError::UnsupportedAddress { host }),
        }
        .map_err(|error| no_engine(chain(&error)))?;

        let version = match (docker.version().await, &relay) {
            (Ok(version), _) => version,
            (Err(error), Some(relay)) => {
                let why = relay.trouble().await.unwrap_or_else(|| chain(&error));
                return Err(no_engine(why));
            }
            (Err(error), None) => return Err(unreachable(&host, error)),
        };
        let spoken = version.api_version.unwrap_or_default();
        let newest = ApiVersion::parse(&spoken)
            .ok_or_else(|| EngineError::Unreadable { message: format!("API version `{spoken}`") })?;
        if newest < OLDEST {
            return Err(EngineError::TooOld { found: spoken, needed: "1.41" });
        }
        let api = newest.min(NEWEST);
        let host = context.map_or(host.clone(), |name| format!("{host} (context {name})"));
        Ok(Self { docker: prefix_version(docker, api), host, api, relay })
    }

    /// The address, as it was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The API version that is spoken with this engine.
    pub fn api(&self) -> ApiVersion {
        self.api
    }

    /// True if the engine runs on this machine, so that its ports and files are this machine's.
    pub fn is_local(&self) -> bool {
        self.relay.is_none() && self.host.starts_with("unix://")
    }

    /// The unparsed answer of `GET path`.
    ///
    /// The client library's models are of a newer API: they drop fields that 1.41 answers (all of `/system/df`). It
    /// has no public raw call, so the one call that hands out bytes is sent to another path.
    pub(crate) async fn raw_get(&self, path: &str) -> Result<serde_json::Value, EngineError> {
        use futures_util::TryStreamExt as _;
        let wanted = format!("/v{}{path}", self.api);
        let docker = self.docker.clone().with_request_modifier(move |mut request| {
            let uri = request.uri();
            if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority())
                && let Ok(uri) = format!("{scheme}://{authority}{wanted}").parse()
            {
                *request.uri_mut() = uri;
            }
            request
        });
        let body = docker
            .export_image("raw")
            .try_fold(Vec::new(), |mut body, chunk| async move {
                body.extend_from_slice(&chunk);
                Ok(body)
            })
            .await
            .map_err(|error| EngineError::from_wire(error, CALL_SECONDS))?;
        serde_json::from_slice(&body).map_err(|error| EngineError::Unreadable { message: error.to_string() })
    }

    /// A client whose calls may take `seconds` before the first byte of answer.
    pub(crate) fn patient(&self, seconds: u64) -> Docker {
        self.docker.clone().with_timeout(std::time::Duration::from_secs(seconds))
    }
}

/// Puts `/v1.41` before the path of every request, upgrades (exec) included.
fn prefix_version(docker: Docker, api: ApiVersion) -> Docker {
    docker.with_request_modifier(move |mut request| {
        let uri = request.uri();
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return request };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if let Ok(prefixed) = format!("{scheme}://{authority}/v{api}{path}").parse() {
            *request.uri_mut() = prefixed;
        }
        request
    })
}

/// The socket of the system's Docker, else of a rootless Docker, else of Podman; the first of them if none exists.
fn default_socket() -> PathBuf {
    let mut candidates = vec![PathBuf::from(DEFAULT_SOCKET)];
    if let Some(run) = std::env::var_os("XDG_RUNTIME_DIR") {
        candidates.push(PathBuf::from(&run).join("docker.sock"));
        candidates.push(PathBuf::from(&run).join("podman/podman.sock"));
    }
    candidates.push(PathBuf::from("/run/podman/podman.sock"));
    candidates.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))
}

fn unreachable(host: &str, error: bollard::errors::Error) -> EngineError {
    let why = chain(&error);
    if why.contains("HTTP request to an HTTPS server") {
        let why = "it wants TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem, key.pem";
        return EngineError::NoEngine { host: host.into(), why: why.into() };
    }
    match EngineError::from_wire(error, CALL_SECONDS) {
        EngineError::Connection { .. } if why.contains("ermission denied") => {
            EngineError::Denied { host: host.into() }
        }
        EngineError::Connection { .. } => EngineError::NoEngine { host: host.into(), why },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Explain as _;

    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let parse = |text| ApiVersion::parse(text).unwrap();
        assert!(parse("1.41") < parse("1.100"));
        assert!(parse("2.0") > parse("1.100"));
        assert_eq!(ApiVersion::parse("1.x"), None);
        assert_eq!(parse("1.41").to_string(), "1.41");
    }

    #[tokio::test]
    async fn nothing_at_the_address_is_said_with_the_address() {
        let error = Engine::connect_to("unix:///nowhere/docker.sock").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no container engine answers at unix:///nowhere/docker.sock: there is no such socket"
        );
        assert!(error.hint().is_some());
        let error = Engine::connect_to("tcp://127.0.0.1:1").await.unwrap_err();
        assert!(matches!(error, EngineError::NoEngine { .. }), "{error:?}");
        assert!(matches!(Engine::connect_to("ftp://x").await, Err(EngineError::UnsupportedAddress { .. })));
    }
}
