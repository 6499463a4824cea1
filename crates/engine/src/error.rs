//! Everything that a call to the engine can answer but success. The engine gives a status and a sentence; the
//! sentences that have a meaning of their own are recognised here and nowhere else.

use bollard::errors::Error as Wire;
use plimsoll_source::Explain;

/// Why a call to the engine failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// Nothing listens at the address.
    #[error("no container engine answers at {host}: {why}")]
    NoEngine {
        /// The address that was tried.
        host: String,
        /// The operating system's reason.
        why: String,
    },
    /// The socket exists, but this user may not use it.
    #[error("not allowed to use the container engine at {host}")]
    Denied {
        /// The address that was tried.
        host: String,
    },
    /// An address of a kind that is not supported.
    #[error("the engine address {host} is of a kind that is not supported")]
    UnsupportedAddress {
        /// The address as it was given.
        host: String,
    },
    /// A docker context that cannot be used.
    #[error("docker context `{name}`: {why}")]
    BadContext {
        /// The context.
        name: String,
        /// The reason.
        why: String,
    },
    /// The engine speaks only API versions that are too old.
    #[error("the engine speaks API {found}, at least {needed} is needed")]
    TooOld {
        /// The newest version that the engine speaks.
        found: String,
        /// The oldest that Plimsoll can use.
        needed: &'static str,
    },
    /// The named object does not exist.
    #[error("{message}")]
    NotFound {
        /// The engine's words; they name the object.
        message: String,
    },
    /// The object is in a state that forbids the call.
    #[error("{message}")]
    Conflict {
        /// The engine's words.
        message: String,
    },
    /// A container of that name exists.
    #[error("the container name `{name}` is taken by container {holder}")]
    NameTaken {
        /// The wanted name.
        name: String,
        /// The id of the container that has it.
        holder: String,
    },
    /// Several networks have the same name.
    #[error("several networks have the name `{name}`")]
    AmbiguousNetwork {
        /// The name.
        name: String,
    },
    /// A network cannot be removed: containers are on it.
    #[error("containers are on network `{network}`")]
    NetworkInUse {
        /// Its name or id, as the engine says it.
        network: String,
    },
    /// A host port is in use.
    #[error("port {port} of the host is already in use")]
    PortTaken {
        /// The host port.
        port: u16,
        /// The engine's words.
        message: String,
    },
    /// The engine's disk is full.
    #[error("the engine's disk is full: {message}")]
    NoSpace {
        /// The engine's words.
        message: String,
    },
    /// A registry wants a login.
    #[error("not authorised: {message}")]
    Unauthorized {
        /// The engine's words.
        message: String,
    },
    /// The engine does not do that: an address or a subnet is taken, a driver cannot have it, a plugin denied it.
    #[error("{message}")]
    Forbidden {
        /// The engine's words.
        message: String,
    },
    /// The subnet of a network overlaps with that of another one.
    #[error("{message}")]
    SubnetTaken {
        /// The engine's words.
        message: String,
    },
    /// A fixed address of a network is in use.
    #[error("the address is in use on its network: {message}")]
    AddressTaken {
        /// The engine's words.
        message: String,
    },
    /// The engine accepted the call and then refused the content (a load, a pull).
    #[error("the engine refused it: {message}")]
    Refused {
        /// The engine's words.
        message: String,
    },
    /// Any other error status.
    #[error("the engine answered {status}: {message}")]
    Api {
        /// The HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The connection broke in the middle of a call.
    #[error("the connection to the engine broke: {message}")]
    Connection {
        /// The transport's words.
        message: String,
    },
    /// The engine did not answer in time.
    #[error("the engine did not answer within {seconds} s")]
    Timeout {
        /// The limit that was set.
        seconds: u64,
    },
    /// The engine's answer has another form than its API says.
    #[error("the engine's answer cannot be read: {message}")]
    Unreadable {
        /// What does not fit.
        message: String,
    },
}

impl EngineError {
    /// True if the object of the call does not exist: for a removal this is success.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// From the client library's error. `seconds` is the time limit that the call had.
    pub(crate) fn from_wire(error: Wire, seconds: u64) -> Self {
        match error {
            Wire::DockerResponseServerError { status_code, message } => {
                Self::from_answer(status_code, message)
            }
            Wire::DockerStreamError { error } => classify(&error).unwrap_or(Self::Refused { message: error }),
            Wire::RequestTimeoutError => Self::Timeout { seconds },
            Wire::JsonDataError { message, .. } => Self::Unreadable { message },
            Wire::JsonSerdeError { err } => Self::Unreadable { message: err.to_string() },
            Wire::StrParseError { err } => Self::Unreadable { message: err.to_string() },
            other => Self::Connection { message: chain(&other) },
        }
    }

    fn from_answer(status: u16, message: String) -> Self {
        if let Some(error) = classify(&message) {
            return error;
        }
        match status {
            404 => Self::NotFound { message },
            409 => Self::Conflict { message },
            // of an engine's own calls only a plugin or a proxy before it asks who one is
            401 => Self::Unauthorized { message },
            // what networks answer when something is taken or cannot be
            403 => Self::Forbidden { message },
            _ => Self::Api { status, message },
        }
    }
}

impl Explain for EngineError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoEngine { host, .. } if !host.starts_with("unix://") => {
                Some("check the address, and that the engine there listens to it".into())
            }
            Self::NoEngine { .. } => {
                Some("start the engine (`systemctl start docker`), or set DOCKER_HOST".into())
            }
            Self::Denied { .. } => {
                Some("run as root, or add the user to the group that owns the socket (`docker`)".into())
            }
            Self::UnsupportedAddress { .. } => {
                Some("set DOCKER_HOST to unix:///path, tcp://host:port or ssh://user@host".into())
            }
            Self::BadContext { .. } => {
                Some("`docker context ls` lists them; DOCKER_HOST goes before any context".into())
            }
            Self::TooOld { .. } => Some("install Docker Engine 20.10 or newer".into()),
            Self::NoSpace { .. } => Some("`docker system df` shows what uses the space".into()),
            Self::Unauthorized { .. } => Some("log in to the registry first".into()),
            Self::SubnetTaken { .. } => {
                Some("give the network another subnet, or remove the network that has it".into())
            }
            Self::AddressTaken { .. } => {
                Some("`docker network inspect` shows which container has it; give yours another one".into())
            }
            _ => None,
        }
    }
}

/// The sentences with a meaning of their own, as engines from 20.10 to 29 write them.
fn classify(message: &str) -> Option<EngineError> {
    let lower = message.to_ascii_lowercase();
    if lower.contains("no space left on device") {
        return Some(EngineError::NoSpace { message: message.to_owned() });
    }
    if (lower.contains("port is already allocated") || lower.contains("address already in use"))
        && let Some(port) = port_in(message)
    {
        return Some(EngineError::PortTaken { port, message: message.to_owned() });
    }
    if lower.contains("container name") && lower.contains("is already in use") {
        let mut quoted = message.split('"').skip(1).step_by(2);
        let name = quoted.next().unwrap_or_default().trim_start_matches('/').to_owned();
        let holder = quoted.next().unwrap_or_default().chars().take(12).collect();
        return Some(EngineError::NameTaken { name, holder });
    }
    if lower.contains("is ambiguous (") && lower.contains("matches found") {
        let mut words = message.split_whitespace().skip_while(|word| *word != "network").skip(1);
        return Some(EngineError::AmbiguousNetwork { name: words.next().unwrap_or_default().to_owned() });
    }
    if lower.contains("has active endpoints") {
        let named = message.rsplit("network ").next().unwrap_or_default();
        let network = named.split_whitespace().next().unwrap_or_default();
        return Some(EngineError::NetworkInUse { network: network.to_owned() });
    }
    if lower.contains("pool overlaps") {
        return Some(EngineError::SubnetTaken { message: message.to_owned() });
    }
    if lower == "address already in use" || lower.ends_with(": address already in use") {
        return Some(EngineError::AddressTaken { message: message.to_owned() });
    }
    if lower.contains("unauthorized") || lower.contains("pull access denied") {
        return Some(EngineError::Unauthorized { message: message.to_owned() });
    }
    None
}

/// The port of the first `address:port` whose port is a number, read from the right of the sentence so that a
/// container's name that contains a colon-number does not win over the address.
fn port_in(message: &str) -> Option<u16> {
    message
        .split_whitespace()
        .rev()
        .filter_map(|word| {
            let word = word.trim_end_matches([':', ',', ')']);
            let word = word.split('/').next().unwrap_or(word);
            word.rsplit_once(':')
        })
        .find_map(|(address, port)| if address.is_empty() { None } else { port.parse().ok() })
}

/// An error and its causes as one sentence.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_held_by_a_container_or_a_process_is_named() {
        for sentence in [
            "driver failed programming external connectivity on endpoint web:9 (a1b2): Bind for 0.0.0.0:8080 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint web (a1b2): Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
            "failed to set up container networking: failed to bind host port 0.0.0.0:8080/tcp: address already in use",
            "listen tcp6 [::]:8080: bind: address already in use",
        ] {
            match EngineError::from_answer(500, sentence.into()) {
                EngineError::PortTaken { port, .. } => assert_eq!(port, 8080, "{sentence}"),
                other => panic!("{sentence}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_taken_name_names_its_holder() {
        let sentence = "Conflict. The container name \"/web\" is already in use by container \"0123456789abcdef\". You have to remove (or rename) that container to be able to reuse that name.";
        match EngineError::from_answer(409, sentence.into()) {
            EngineError::NameTaken { name, holder } => {
                assert_eq!((name.as_str(), holder.as_str()), ("web", "0123456789ab"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_of_two_networks_is_told() {
        let sentence = "network shop_inside is ambiguous (2 matches found on name)";
        match EngineError::from_answer(400, sentence.into()) {
            EngineError::AmbiguousNetwork { name } => assert_eq!(name, "shop_inside"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_network_with_containers_on_it_is_no_matter_of_rights() {
        let sentence =
            "error while removing network: network shop_a id 0123abc has active endpoints (name:\"web\")";
        match EngineError::from_answer(403, sentence.into()) {
            EngineError::NetworkInUse { network } => assert_eq!(network, "shop_a"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn forbidden_is_not_unauthorised() {
        for sentence in [
            "Pool overlaps with other one on this address space",
            "Address already in use",
            "bridge driver doesn't support multiple subnets",
            "network with name shop_a already exists",
            "endpoint with name web already exists in network shop_a",
            "authorization denied by plugin x: no",
        ] {
            let error = EngineError::from_answer(403, sentence.into());
            assert!(!matches!(error, EngineError::Unauthorized { .. }), "{sentence}: {error:?}");
            let hint = error.hint().unwrap_or_default();
            assert!(!hint.contains("log in") && error.to_string().contains(sentence), "{error}: {hint}");
        }
        let plain = EngineError::from_answer(403, "bridge driver doesn't support multiple subnets".into());
        assert_eq!(plain.hint(), None);
        for (status, sentence) in [
            (401, "who are you"),
            (404, "pull access denied for x, repository does not exist or may require 'docker login'"),
            (500, "Head \"https://r.example/v2/\": unauthorized: authentication required"),
        ] {
            let error = EngineError::from_answer(status, sentence.into());
            assert!(matches!(error, EngineError::Unauthorized { .. }), "{sentence}: {error:?}");
        }
        let port = "driver failed programming external connectivity on endpoint web (a1b2): listen tcp4 0.0.0.0:80: bind: address already in use";
        assert!(matches!(
            EngineError::from_answer(500, port.into()),
            EngineError::PortTaken { port: 80, .. }
        ));
        assert!(matches!(EngineError::from_answer(400, "bad".into()), EngineError::Api { status: 400, .. }));
    }

    #[test]
    fn a_full_disk_is_recognised_whatever_the_status() {
        let error = EngineError::from_answer(500, "write /var/lib/x: no space left on device".into());
        assert!(matches!(error, EngineError::NoSpace { .. }));
        let error =
            EngineError::from_wire(Wire::DockerStreamError { error: "No Space Left On Device".into() }, 1);
        assert!(matches!(error, EngineError::NoSpace { .. }));
    }

    #[test]
    fn the_status_decides_about_the_rest() {
        assert!(EngineError::from_answer(404, "No such container: x".into()).is_not_found());
        assert!(matches!(
            EngineError::from_answer(409, "is restarting".into()),
            EngineError::Conflict { .. }
        ));
        assert!(matches!(EngineError::from_answer(500, "boom".into()), EngineError::Api { status: 500, .. }));
    }
}
