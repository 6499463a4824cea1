//! A registry client: distribution-spec 1.1, pull and push.
//!
//! Credentials come from Docker's configuration file; TLS trusts the machine's certificates (`SSL_CERT_FILE` and
//! `SSL_CERT_DIR` are honoured). Everything that comes is checked against its digest before it becomes visible.

mod artifact;
mod auth;
mod error;
mod helper;
mod hosts;
mod pull;
mod push;
mod transport;

use std::collections::BTreeMap;

use ureq::{Agent, http::Method};

pub use auth::{Credential, Credentials};
pub use error::RegistryError;
pub use hosts::KnownHosts;
pub use pull::Pulled;
pub use push::Pushed;

use crate::{
    Digest, Reference,
    manifest::{Index, Manifest, media_type},
};
use transport::{Access, Call, Connection};

#[cfg(fuzzing)]
pub(crate) use auth::fuzz as fuzz_config;
#[cfg(fuzzing)]
pub(crate) use transport::words as fuzz_words;

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz_challenge(text: &str) -> Option<Vec<Option<String>>> {
    Some(match auth::Challenge::parse(text)? {
        auth::Challenge::Basic => Vec::new(),
        auth::Challenge::Bearer { realm, service, scope } => vec![Some(realm), service, scope],
    })
}

/// No manifest or index is larger (distribution-spec: registries refuse more than 4 MiB).
const MAX_MANIFEST: u64 = 4 << 20;
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What happens while layers travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This blob is on the other side already.
    Known {
        /// The digest of the blob that travels.
        digest: Digest,
    },
    /// This blob starts to travel.
    Started {
        /// The digest of the blob that travels.
        digest: Digest,
        /// The size of the whole blob in bytes.
        bytes: u64,
    },
    /// So much of this blob is here.
    Moved {
        /// The digest of the blob that travels.
        digest: Digest,
        /// How many bytes of it are there by now.
        bytes: u64,
    },
    /// This blob has arrived.
    Finished {
        /// The digest of the blob that travels.
        digest: Digest,
    },
}

/// A client for any number of registries.
pub struct Registry {
    agents: (Agent, Agent),
    credentials: Credentials,
    insecure: Vec<String>,
    /// registry -> hosts that are asked before it
    mirrors: BTreeMap<String, Vec<String>>,
}

/// A manifest or an index, as it came.
enum Document {
    Manifest(Box<Manifest>),
    Index(Index),
}

impl Registry {
    /// A client with these credentials.
    pub fn new(credentials: Credentials) -> Self {
        Self { agents: transport::agents(), credentials, insecure: Vec::new(), mirrors: BTreeMap::new() }
    }

    /// Also speaks plain HTTP with this `host:port`. This machine's own addresses need no permission.
    #[must_use]
    pub fn allow_http(mut self, host: impl Into<String>) -> Self {
        self.insecure.push(host.into());
        self
    }

    /// Asks `mirror` before `domain` when something is pulled; a mirror that fails or lacks the image is passed over.
    /// `mirror` is a `host[:port]`, after `http://` for one that is spoken to in the clear.
    #[must_use]
    pub fn mirror(mut self, domain: impl Into<String>, mirror: &str) -> Self {
        let host = mirror.trim_end_matches('/');
        let host = match host.strip_prefix("http://") {
            Some(plain) => {
                self.insecure.push(plain.to_owned());
                plain
            }
            None => host.strip_prefix("https://").unwrap_or(host),
        };
        self.mirrors.entry(domain.into()).or_default().push(host.to_owned());
        self
    }

    /// Does `work` with the first of the registry's mirrors that can, else with the registry itself. `work` hears the
    /// mirror's host.
    fn with_sources<T>(
        &self,
        name: &Reference,
        work: impl Fn(&Connection, Option<&str>) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let Self { agents, credentials, insecure, mirrors } = self;
        for mirror in mirrors.get(name.domain()).into_iter().flatten() {
            let connection =
                Connection::open(agents, mirror, name.repository(), Access::Pull, credentials, insecure);
            match connection.and_then(|connection| work(&connection, Some(mirror))) {
                // what is wrong with our own store is wrong with every registry
                Err(RegistryError::Store(error)) => return Err(RegistryError::Store(error)),
                Err(_) => {}
                done => return done,
            }
        }
        work(&self.connect(name, Access::Pull)?, None)
    }

    /// The hosts that are asked before this registry.
    pub fn mirrors_of(&self, domain: &str) -> &[String] {
        self.mirrors.get(domain).map_or(&[], Vec::as_slice)
    }

    fn connect(&self, name: &Reference, access: Access) -> Result<Connection, RegistryError> {
        let Self { agents, credentials, insecure, .. } = self;
        Connection::open(agents, name.domain(), name.repository(), access, credentials, insecure)
    }

    /// The digest that a name has now, without getting the image.
    pub fn resolve(&self, name: &Reference) -> Result<Digest, RegistryError> {
        self.with_sources(name, |connection, _| Ok(get_document(connection, &wanted(name), name.digest())?.1))
    }
}

/// The tag or digest to ask for; a digest is exact.
fn wanted(name: &Reference) -> String {
    match (name.digest(), name.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or("latest").to_owned(),
    }
}

/// Gets a manifest or index and checks its digest.
fn get_document(
    connection: &Connection,
    wanted: &str,
    expected: Option<&Digest>,
) -> Result<(Document, Digest), RegistryError> {
    let object = format!("{}:{wanted}", connection.repository);
    let target = format!("manifests/{wanted}");
    let call = Call { headers: &[("accept", ACCEPT)], ..Call::new(Method::GET, &target, &object) };
    let mut response = connection.send(&call)?;
    let kind = transport::header(&response, "content-type").unwrap_or_default().to_owned();
    let bytes = response
        .body_mut()
        .with_config()
        .limit(MAX_MANIFEST)
        .read_to_vec()
        .map_err(|error| connection.unreachable(&error))?;
    let found = Digest::of(&bytes);
    if let Some(expected) = expected
        && *expected != found
    {
        let host = connection.host.clone();
        return Err(RegistryError::DigestMismatch { host, object, expected: *expected, found });
    }
    // the document's own word counts more than the header's: proxies change headers
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| connection.invalid(&object, error))?;
    let kind = value.get("mediaType").and_then(|kind| kind.as_str()).map_or(kind, ToOwned::to_owned);
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_index = [media_type::OCI_INDEX, media_type::DOCKER_INDEX].contains(&kind);
    let document = if is_index {
        serde_json::from_value(value).map(Document::Index)
    } else {
        serde_json::from_value(value).map(|manifest| Document::Manifest(Box::new(manifest)))
    };
    Ok((document.map_err(|error| connection.invalid(&object, error))?, found))
}
