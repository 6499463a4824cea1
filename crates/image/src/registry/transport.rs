//! HTTP to one registry: which scheme, who we are, how often we try.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, Read},
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use serde::Deserialize;
use ureq::{
    Agent, Body, SendBody,
    config::RedirectAuthHeaders,
    http::{Method, Request, Response, Uri},
    tls::{Certificate, RootCerts, TlsConfig},
    unversioned::transport::DefaultConnector,
};

use super::{
    KnownHosts, RegistryError,
    auth::{Challenge, Credential, Credentials},
};

/// Docker Hub's API has another name than its images.
pub(super) const DOCKER_HUB: &str = "registry-1.docker.io";
/// Tries of one request, and of one transfer without any progress.
pub(super) const TRIES: u32 = 5;
/// Longest pause that a registry may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// No error text or token answer is larger.
const MAX_ANSWER: u64 = 1 << 20;

/// Which actions a token must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
}

impl Access {
    fn scope(self, repository: &str) -> String {
        let actions = if self == Self::Push { "pull,push" } else { "pull" };
        format!("repository:{repository}:{actions}")
    }
}

/// A connection to one registry for one repository.
pub(super) struct Connection {
    agent: Agent,
    pub(super) host: String,
    pub(super) repository: String,
    base: String,
    access: Access,
    credential: Option<Credential>,
    /// Further repositories that a token must allow to read.
    pub(super) sources: BTreeSet<String>,
    /// The value of `Authorization` that was accepted last.
    authorization: Mutex<Option<String>>,
}

/// A body and its length in bytes.
pub(super) type SizedBody = (Box<dyn Read>, u64);

/// One request; its body can be made again for another try.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// A path below `/v2/<repository>/`, or a whole address.
    pub(super) target: &'a str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    /// Makes the body, anew for each try.
    pub(super) body: Option<&'a dyn Fn() -> io::Result<SizedBody>>,
    /// Is sent once: what a broken try left behind must be looked at before the next.
    pub(super) once: bool,
    /// What is asked for, in messages.
    pub(super) object: &'a str,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, target: &'a str, object: &'a str) -> Self {
        Self { method, target, headers: &[], body: None, once: false, object }
    }
}

/// For the world, and for this machine without a proxy. Made once: reading the machine's certificates takes longer than
/// asking this machine's registry.
pub(super) fn agents() -> (Agent, Agent) {
    static AGENTS: OnceLock<(Agent, Agent)> = OnceLock::new();
    AGENTS.get_or_init(make_agents).clone()
}

fn make_agents() -> (Agent, Agent) {
    let native = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> =
        native.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = || {
        Agent::config_builder()
            .tls_config(tls.clone())
            .http_status_as_error(false)
            // a blob's address on another host must not see our password
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            // compressed answers would hide what the digest is of
            .accept_encoding("identity")
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_mins(1)))
            .timeout_per_read(Some(Duration::from_mins(1)))
            .timeout_per_write(Some(Duration::from_secs(30)))
            .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
    };
    let agent = |config| Agent::with_parts(config, DefaultConnector::default(), KnownHosts::default());
    (agent(config().build()), agent(config().proxy(None).build()))
}

/// Is this host (with or without port) this machine?
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Connection {
    /// Finds out how the registry is spoken to. Plain HTTP is used only with this machine and `insecure` hosts.
    pub(super) fn open(
        (agent, direct): &(Agent, Agent),
        domain: &str,
        repository: &str,
        access: Access,
        credentials: &Credentials,
        insecure: &[String],
    ) -> Result<Self, RegistryError> {
        let host = if domain == "docker.io" { DOCKER_HUB } else { domain };
        let loopback = is_loopback(host);
        let mut connection = Self {
            agent: if loopback { direct.clone() } else { agent.clone() },
            host: host.to_owned(),
            repository: repository.to_owned(),
            base: format!("https://{host}"),
            access,
            credential: credentials.get(domain)?,
            sources: BTreeSet::new(),
            authorization: Mutex::new(None),
        };
        if (loopback || insecure.iter().any(|name| name == host)) && connection.is_plain() {
            connection.base = format!("http://{host}");
        }
        Ok(connection)
    }

    /// Only asked where plain HTTP is allowed. A server whose certificate is not trusted is not plain: its error must
    /// be seen.
    fn is_plain(&self) -> bool {
        let status = |scheme: &str| {
            let probe = self.agent.get(format!("{scheme}://{}/v2/", self.host)).config();
            probe
                .timeout_global(Some(Duration::from_secs(3)))
                .build()
                .call()
                .map(|answer| answer.status().as_u16())
        };
        // 400 is what servers say to plain HTTP on their TLS port
        status("https").is_err() && !matches!(status("http"), Ok(400))
    }

    /// Sends a request, as often as makes sense: again with credentials when asked for them, and after a pause when
    /// the connection or the registry failed. Gives any answer below 400.
    pub(super) fn send(&self, call: &Call<'_>) -> Result<Response<Body>, RegistryError> {
        let mut tries = if call.once { TRIES - 1 } else { 0 };
        let mut authorized = false;
        loop {
            tries += 1;
            let response = match self.once(call) {
                Ok(response) => response,
                Err(error) if tries < TRIES && is_passing(&error) => {
                    pause(tries, None);
                    continue;
                }
                Err(error) => return Err(self.unreachable(&error)),
            };
            match response.status().as_u16() {
                ..=399 => return Ok(response),
                401 if !authorized => {
                    authorized = true;
                    self.authorize(&response, call.object)?;
                }
                408 | 429 | 500 | 502 | 503 | 504 if tries < TRIES => {
                    let seconds = header(&response, "retry-after").and_then(|text| text.parse().ok());
                    pause(tries, seconds.map(Duration::from_secs));
                }
                _ => return Err(self.failed(response, call.object)),
            }
        }
    }

    fn once(&self, call: &Call<'_>) -> Result<Response<Body>, ureq::Error> {
        let address = if call.target.starts_with("http://") || call.target.starts_with("https://") {
            call.target.to_owned()
        } else {
            format!("{}/v2/{}/{}", self.base, self.repository, call.target)
        };
        let mut request = Request::builder().method(call.method.clone()).uri(&address);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        // an upload's address may lead elsewhere; our credentials are for the registry alone
        if address.starts_with(&format!("{}/", self.base)) {
            let known = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(authorization) = known {
                request = request.header("authorization", authorization);
            }
        }
        match call.body {
            Some(body) => {
                let (mut reader, length) = body()?;
                let request =
                    request.header("content-length", length).body(SendBody::from_reader(&mut reader))?;
                self.agent.run(request)
            }
            None if call.method == Method::GET || call.method == Method::HEAD => {
                self.agent.run(request.body(())?)
            }
            None => self
                .agent
                .run(request.header("content-length", 0).body(SendBody::from_reader(&mut io::empty()))?),
        }
    }

    /// Gets what the registry asks for.
    fn authorize(&self, response: &Response<Body>, object: &str) -> Result<(), RegistryError> {
        let refused = |reason: &str| RegistryError::Refused {
            host: self.host.clone(),
            object: object.to_owned(),
            reason: reason.to_owned(),
        };
        let challenges = response.headers().get_all("www-authenticate").into_iter();
        let challenge = challenges
            .filter_map(|value| value.to_str().ok())
            .find_map(Challenge::parse)
            .ok_or_else(|| refused("it asks for credentials in a way that is not known"))?;
        let authorization = match challenge {
            Challenge::Basic => {
                let credential = self.credential.as_ref().and_then(Credential::basic);
                credential.ok_or_else(|| refused("it asks for a name and a password"))?
            }
            Challenge::Bearer { realm, service, scope } => {
                format!("Bearer {}", self.token(&realm, service.as_deref(), scope, object)?)
            }
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(())
    }

    /// Gets a token (distribution, `token` and `oauth2` authentication).
    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<String>,
        object: &str,
    ) -> Result<String, RegistryError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            token: String,
            #[serde(default)]
            access_token: String,
        }
        let refused = |reason: String| RegistryError::Refused {
            host: self.host.clone(),
            object: object.to_owned(),
            reason,
        };
        // a registry on HTTPS must not make us tell a password in the clear
        if !realm.starts_with("https://")
            && (self.base.starts_with("https://") || !realm.starts_with("http://"))
        {
            return Err(refused("its token service is not on HTTPS".to_owned()));
        }
        let scope = scope.unwrap_or_else(|| self.access.scope(&self.repository));
        let mut parameters = vec![("scope", scope.as_str())];
        let sources: Vec<String> =
            self.sources.iter().map(|repository| Access::Pull.scope(repository)).collect();
        parameters.extend(sources.iter().map(|scope| ("scope", scope.as_str())));
        parameters.extend(service.map(|service| ("service", service)));
        let sent = match &self.credential {
            Some(Credential::RefreshToken(token)) => {
                parameters.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "plimsoll"),
                    ("refresh_token", token),
                ]);
                self.agent.post(realm).send_form(parameters)
            }
            credential => {
                let mut request = self.agent.get(realm).query_pairs(parameters);
                if let Some(basic) = credential.as_ref().and_then(Credential::basic) {
                    request = request.header("authorization", basic);
                }
                request.call()
            }
        };
        let mut response = sent.map_err(|error| refused(format!("its token service fails: {error}")))?;
        if response.status().as_u16() >= 400 {
            let status = response.status().as_u16();
            return Err(refused(format!("its token service answers with status {status}")));
        }
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
            .map_err(|error| refused(format!("its token service fails: {error}")))?;
        // what serde says could quote the token
        let answer: Answer = serde_json::from_slice(&text)
            .map_err(|_| refused("its token service sends no JSON object".to_owned()))?;
        match [answer.token, answer.access_token].into_iter().find(|token| !token.is_empty()) {
            Some(token) => Ok(token),
            None => Err(refused("its token service sends no token".to_owned())),
        }
    }

    /// The address that a `Location` means.
    pub(super) fn location(&self, response: &Response<Body>, object: &str) -> Result<String, RegistryError> {
        let location = header(response, "location")
            .ok_or_else(|| self.invalid(object, "the answer has no `Location`"))?;
        if location.starts_with('/') {
            return Ok(format!("{}{location}", self.base));
        }
        let uri: Uri =
            location.parse().map_err(|_| self.invalid(object, "its `Location` is not an address"))?;
        // behind a proxy that ends TLS, registries name themselves with the wrong scheme
        if uri.authority().is_some_and(|authority| authority.as_str() == self.host) {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            return Ok(format!("{}{path}", self.base));
        }
        if self.base.starts_with("https://") && uri.scheme_str() != Some("https") {
            return Err(self.invalid(object, "it sends us from HTTPS to another scheme"));
        }
        Ok(location.to_owned())
    }

    pub(super) fn invalid(&self, object: &str, reason: impl ToString) -> RegistryError {
        RegistryError::Invalid {
            host: self.host.clone(),
            object: object.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn unreachable(&self, error: &impl ToString) -> RegistryError {
        RegistryError::Unreachable { host: self.host.clone(), reason: error.to_string() }
    }

    fn failed(&self, mut response: Response<Body>, object: &str) -> RegistryError {
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().unwrap_or_default();
        let reason = words(&body);
        let (host, object) = (self.host.clone(), object.to_owned());
        match status {
            401 | 403 => RegistryError::Refused { host, object, reason },
            404 => RegistryError::NotFound { host, object },
            _ => RegistryError::Status { host, object, status, reason },
        }
    }
}

/// The messages in a registry's error document (distribution-spec, "Error Codes").
pub(crate) fn words(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<HashMap<String, serde_json::Value>>,
    }
    let errors = serde_json::from_slice::<Errors>(body).map(|document| document.errors).unwrap_or_default();
    let texts: Vec<String> = errors
        .iter()
        .filter_map(|error| error.get("message").or_else(|| error.get("code"))?.as_str())
        .take(3)
        .map(|text| text.chars().filter(|character| !character.is_control()).take(200).collect())
        .collect();
    if texts.is_empty() { "no reason given".to_owned() } else { texts.join("; ") }
}

pub(super) fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// May the same request work a moment later?
pub(super) fn is_passing(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => !matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable
        ),
        ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// 0.1 s, 0.2 s, 0.4 s … or what the registry asks for, bounded.
pub(super) fn pause(tries: u32, asked: Option<Duration>) {
    let usual = Duration::from_millis(50 << tries.min(8));
    thread::sleep(asked.unwrap_or(usual).min(MAX_PAUSE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["localhost", "localhost:5000", "127.0.0.1", "127.8.8.8:80", "[::1]:5000", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "127.0.0.1.example:80", "10.0.0.1", "[::2]:5000", "example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_registrys_words_are_cut_and_cleaned() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no\u001b[31m way"},{"code":"OTHER"}]}"#;
        assert_eq!(words(body), "no[31m way; OTHER");
        assert_eq!(words(b"<html>"), "no reason given");
    }
}
