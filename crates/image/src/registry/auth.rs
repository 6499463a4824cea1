//! Credentials, and what a registry asks for in `WWW-Authenticate`.

use std::{collections::HashMap, fmt, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_disk::{Links, read_regular};
use serde::Deserialize;

use super::{RegistryError, helper};
use crate::store::MAX_JSON;

/// A secret for one registry. Its `Debug` form shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password, sent with each request or for a token.
    Password {
        /// The name of the account.
        user: String,
        /// The user's password or access token.
        password: String,
    },
    /// An OAuth2 refresh token, `identitytoken` in Docker's file.
    RefreshToken(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

impl Credential {
    /// The value of `Authorization` for this name and password.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Self::RefreshToken(_) => None,
        }
    }
}

/// Credentials by registry host.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    by_host: HashMap<String, Credential>,
    /// Helper programs by host, and the one for all others.
    helpers: HashMap<String, String>,
    helper: Option<String>,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: HashMap<String, DockerAuth>,
    #[serde(default, rename = "credHelpers")]
    helpers: HashMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    /// None: only what a registry gives to everybody.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Those of Docker: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`; none when the file is missing.
    pub fn from_docker_config() -> Result<Self, RegistryError> {
        let folder = std::env::var_os("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")));
        match folder {
            Some(folder) => Self::from_file(&folder.join("config.json")),
            None => Ok(Self::anonymous()),
        }
    }

    /// Those in a file of Docker's form; none when the file is missing.
    pub fn from_file(path: &std::path::Path) -> Result<Self, RegistryError> {
        // what serde says can quote the file, so it is not repeated
        let unusable = |reason: &str| RegistryError::Credentials {
            path: path.display().to_string(),
            reason: reason.to_owned(),
        };
        let text = match read_regular(path, MAX_JSON, Links::Follow) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::anonymous()),
            Err(error) => return Err(unusable(&error.to_string())),
        };
        Self::read(&text).map_err(|reason| unusable(&reason))
    }

    /// Those of a text of Docker's form, or the reason why it is none.
    fn read(text: &[u8]) -> Result<Self, String> {
        let config: DockerConfig = serde_json::from_slice(text)
            .map_err(|error| format!("not JSON of the expected form at line {}", error.line()))?;
        let mut credentials =
            Self { helper: config.store.filter(|name| !name.is_empty()), ..Self::default() };
        credentials.helpers =
            config.helpers.into_iter().map(|(host, helper)| (normal_host(&host), helper)).collect();
        for (host, auth) in config.auths {
            if let Some(credential) = auth.credential()? {
                credentials.insert(&host, credential);
            }
        }
        Ok(credentials)
    }

    /// Adds a credential; `host` may be an address, as Docker's file has it.
    pub fn insert(&mut self, host: &str, credential: Credential) {
        self.by_host.insert(normal_host(host), credential);
    }

    /// The credential for a registry. A helper program is asked first, as Docker does.
    pub(super) fn get(&self, host: &str) -> Result<Option<Credential>, RegistryError> {
        let host = normal_host(host);
        if let Some(helper) = self.helpers.get(&host).or(self.helper.as_ref()) {
            // the name under which `docker login` stores Docker Hub
            let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { &host };
            let path = format!("docker-credential-{helper}");
            let asked = helper::ask(helper, server);
            let asked = asked.map_err(|reason| RegistryError::Credentials { path, reason })?;
            if asked.is_some() {
                return Ok(asked);
            }
        }
        Ok(self.by_host.get(&host).cloned())
    }
}

impl DockerAuth {
    fn credential(self) -> Result<Option<Credential>, &'static str> {
        if let Some(token) = self.identitytoken.filter(|token| !token.is_empty()) {
            return Ok(Some(Credential::RefreshToken(token)));
        }
        if let (Some(user), Some(password)) = (self.username, self.password) {
            return Ok(Some(Credential::Password { user, password }));
        }
        // a credential helper leaves an empty entry behind
        let Some(auth) = self.auth.filter(|auth| !auth.is_empty()) else { return Ok(None) };
        let text = STANDARD.decode(auth.trim()).map_err(|_| "an `auth` is not base64")?;
        let text = String::from_utf8(text).map_err(|_| "an `auth` is not text")?;
        let (user, password) = text.split_once(':').ok_or("an `auth` has no colon")?;
        let password = password.trim_end_matches('\0').to_owned();
        Ok(Some(Credential::Password { user: user.to_owned(), password }))
    }
}

/// `https://host/v1/` -> `host`; Docker Hub's several names are one.
fn normal_host(host: &str) -> String {
    let host = host.strip_prefix("https://").or_else(|| host.strip_prefix("http://")).unwrap_or(host);
    let host = host.split('/').next().unwrap_or_default();
    match host {
        "index.docker.io" | super::transport::DOCKER_HUB => "docker.io".to_owned(),
        host => host.to_owned(),
    }
}

/// What a registry wants before it answers, from `WWW-Authenticate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads a `WWW-Authenticate` value (RFC 9110 section 11.6.1); the first scheme that we know counts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest);
        let realm = parameters.remove("realm")?;
        Some(Self::Bearer { realm, service: parameters.remove("service"), scope: parameters.remove("scope") })
    }
}

/// `name="quoted, value",other=token`
fn parameters(mut text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut characters = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((index, character)) = characters.next() {
                    match character {
                        '\\' => value.extend(characters.next().map(|(_, character)| character)),
                        '"' => {
                            end = index + 1;
                            break;
                        }
                        character => value.push(character),
                    }
                }
                (value, &quoted[end..])
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        found.insert(name, value);
        text = rest;
    }
    found
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &[u8]) -> Result<usize, String> {
    let credentials = Credentials::read(text)?;
    let _ = credentials.by_host.values().map(Credential::basic).count();
    assert!(credentials.by_host.keys().all(|host| !host.contains('/')));
    Ok(credentials.by_host.len())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn challenges_are_read() {
        let text = r#"Bearer realm="https://auth.example/token?a=b",service="registry, one",scope="repository:a/b:pull,push""#;
        assert_eq!(
            Challenge::parse(text),
            Some(Challenge::Bearer {
                realm: "https://auth.example/token?a=b".into(),
                service: Some("registry, one".into()),
                scope: Some("repository:a/b:pull,push".into()),
            })
        );
        assert_eq!(Challenge::parse(r#"Basic realm="x""#), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("basic"), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer service=x"), None);
        assert_eq!(
            Challenge::parse("Bearer realm=\"unended"),
            Some(Challenge::Bearer { realm: "unended".into(), service: None, scope: None })
        );
    }

    /// A link to a device without an end is refused at once.
    #[test]
    fn special_files_read_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let error = Credentials::from_file(&path).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }

    #[test]
    fn dockers_file_is_read_and_secrets_are_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            Credentials::from_file(&path)
        };
        let secret = STANDARD.encode("me:hush:hush");
        let found = write(&format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{secret}"}},
            "127.0.0.1:5000":{{"username":"u","password":"hush"}},"x.y":{{}},"t.t":{{"identitytoken":"hush"}}}}}}"#
        ))
        .unwrap();
        let password = |user: &str, password: &str| Credential::Password {
            user: user.into(),
            password: password.into(),
        };
        let get = |host: &str| found.get(host).unwrap();
        assert_eq!(get("docker.io"), Some(password("me", "hush:hush")));
        assert_eq!(get("127.0.0.1:5000"), Some(password("u", "hush")));
        assert_eq!(get("x.y"), None);
        assert_eq!(get("t.t"), Some(Credential::RefreshToken("hush".into())));
        // a helper that is not installed leaves what the file has
        let helped =
            write(r#"{"credsStore":"plimsoll-missing","auths":{"a.b":{"username":"u","password":"p"}}}"#);
        assert_eq!(helped.unwrap().get("a.b").unwrap(), Some(password("u", "p")));
        let escaping = write(r#"{"credHelpers":{"a.b":"../../bin/sh"}}"#).unwrap();
        assert!(matches!(escaping.get("a.b"), Err(RegistryError::Credentials { .. })));
        assert_eq!(escaping.get("c.d").unwrap(), None);
        assert!(!format!("{found:?}").contains("hush"));
        let error = write(r#"{"auths":{"a":{"auth":"hush!"}}}"#).unwrap_err();
        assert!(!error.to_string().contains("hush"), "{error}");
        let error = write(r#"{"auths":{"a":{"auth":12345}}}"#).unwrap_err();
        assert!(!error.to_string().contains("12345"), "{error}");
        assert!(Credentials::from_file(&dir.path().join("missing")).unwrap().by_host.is_empty());
    }
}
