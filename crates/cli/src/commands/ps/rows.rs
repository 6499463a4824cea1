//! A container with the fields that `docker compose ps --format` has.

use std::fmt::Write as _;

use plimsoll_engine::RunState;
use plimsoll_stack::labels;
use serde_json::{Map, Value, json};

use crate::render::ellipsis;

/// Fields and the headings of their columns.
pub(super) const HEADINGS: [(&str, &str); 19] = [
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("ExitCode", "EXIT CODE"),
    ("Health", "HEALTH"),
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Labels", "LABELS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Mounts", "MOUNTS"),
    ("Name", "NAME"),
    ("Names", "NAMES"),
    ("Networks", "NETWORKS"),
    ("Ports", "PORTS"),
    ("Project", "PROJECT"),
    ("RunningFor", "CREATED"),
    ("Service", "SERVICE"),
    ("Size", "SIZE"),
    ("State", "STATE"),
    ("Status", "STATUS"),
];

/// A container of the engine's list.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) service: String,
    pub(super) state: RunState,
    pub(super) one_off: bool,
    raw: Value,
}

impl Listed {
    /// `None` for containers that are not people's: helpers of a run.
    pub(super) fn read(raw: &Value) -> Option<Self> {
        let label = |key: &str| raw["Labels"][key].as_str();
        if label(labels::HELPER).is_some() {
            return None;
        }
        Some(Self {
            id: raw["Id"].as_str()?.to_owned(),
            name: raw["Names"][0].as_str()?.trim_start_matches('/').to_owned(),
            service: label(labels::SERVICE).unwrap_or_default().to_owned(),
            state: serde_json::from_value(raw["State"].clone()).unwrap_or(RunState::Created),
            one_off: label(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true")),
            raw: raw.clone(),
        })
    }

    /// All fields; with `trunc` ids and commands are cut short.
    pub(super) fn fields(&self, trunc: bool) -> Map<String, Value> {
        let text = |key: &str| self.raw[key].as_str().unwrap_or_default().to_owned();
        let status = text("Status");
        let mounts: Vec<&Value> = self.raw["Mounts"].as_array().into_iter().flatten().collect();
        let volumes = mounts.iter().filter(|mount| mount["Driver"] == "local").count();
        let mounted: Vec<String> = mounts
            .iter()
            .filter_map(|mount| {
                mount["Name"].as_str().filter(|name| !name.is_empty()).or(mount["Source"].as_str())
            })
            .map(|name| if trunc { ellipsis(name, 15) } else { name.to_owned() })
            .collect();
        let networks = self.raw["NetworkSettings"]["Networks"].as_object();
        let networks: Vec<&str> = networks.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let said: Vec<String> = self.raw["Labels"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        let created = self.raw["Created"].as_i64().unwrap_or(0);
        let command = text("Command");
        let command = if trunc { ellipsis(&command, 20) } else { command };
        let id = if trunc { self.id.chars().take(12).collect() } else { self.id.clone() };
        let publishers = self.publishers();
        let fields = json!({
            "Command": Value::from(command).to_string(),
            "CreatedAt": created_at(created),
            "ExitCode": exit_code(&status),
            "Health": health(&status),
            "ID": id,
            "Image": self.image(),
            "Labels": said.join(","),
            "LocalVolumes": volumes.to_string(),
            "Mounts": mounted.join(","),
            "Name": self.name,
            "Names": self.name,
            "Networks": networks.join(","),
            "Ports": ports(&publishers),
            "Project": self.raw["Labels"][labels::PROJECT],
            "Publishers": publishers,
            "RunningFor": format!("{} ago", human(jiff::Timestamp::now().as_second() - created)),
            "Service": self.service,
            "Size": size(&self.raw),
            "State": self.state.as_str(),
            "Status": status,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    /// The name that the file gives the image: the container itself is made from an id.
    fn image(&self) -> &str {
        let own = self.raw["Image"].as_str().unwrap_or_default();
        let is_id =
            own.starts_with("sha256:") || self.raw["ImageID"].as_str().is_some_and(|id| id.contains(own));
        self.raw["Labels"][labels::IMAGE_NAME].as_str().filter(|_| is_id).unwrap_or(own)
    }

    fn publishers(&self) -> Vec<Value> {
        let mut ports: Vec<(String, u64, u64, String)> = self.raw["Ports"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|port| {
                (
                    port["IP"].as_str().unwrap_or_default().to_owned(),
                    port["PrivatePort"].as_u64().unwrap_or(0),
                    port["PublicPort"].as_u64().unwrap_or(0),
                    port["Type"].as_str().unwrap_or("tcp").to_owned(),
                )
            })
            .collect();
        ports.sort();
        let one = |(ip, target, published, protocol): (String, u64, u64, String)| json!({ "URL": ip, "TargetPort": target, "PublishedPort": published, "Protocol": protocol });
        ports.into_iter().map(one).collect()
    }
}

fn ports(publishers: &[Value]) -> String {
    let one = |port: &Value| {
        let (target, protocol) = (&port["TargetPort"], port["Protocol"].as_str().unwrap_or("tcp"));
        match (port["URL"].as_str().unwrap_or_default(), port["PublishedPort"].as_u64()) {
            (_, None | Some(0)) => format!("{target}/{protocol}"),
            (ip, Some(host)) if ip.contains(':') => format!("[{ip}]:{host}->{target}/{protocol}"),
            (ip, Some(host)) => format!("{ip}:{host}->{target}/{protocol}"),
        }
    };
    publishers.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `Exited (3) 2 minutes ago` is 3.
fn exit_code(status: &str) -> i64 {
    let code = status.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(code, _)| code);
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn health(status: &str) -> &'static str {
    match status {
        status if status.ends_with("(healthy)") => "healthy",
        status if status.ends_with("(unhealthy)") => "unhealthy",
        status if status.ends_with("(health: starting)") => "starting",
        _ => "",
    }
}

/// As Go prints a time.
fn created_at(seconds: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return String::new() };
    let local = time.to_zoned(jiff::tz::TimeZone::system());
    local.strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// Seconds in the words that docker has for them.
pub(crate) fn human(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

fn size(raw: &Value) -> String {
    let own = raw["SizeRw"].as_u64().unwrap_or(0);
    let mut text = decimal(own);
    if let Some(all) = raw["SizeRootFs"].as_u64().filter(|all| *all > 0) {
        let _ = write!(text, " (virtual {})", decimal(all));
    }
    text
}

/// Bytes with three digits in the largest unit, as docker prints them: `21.5MB`.
pub(crate) fn decimal(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    let digits = match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{digits}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_docker_compose() {
        let raw = json!({
            "Id": "0123456789abcdef", "Names": ["/shop-web-1"], "Image": "nginx", "State": "exited",
            "Command": "sh -c \"a very long command\"", "Created": 0, "Status": "Exited (3) 2 minutes ago",
            "Labels": { "com.docker.compose.project": "shop", "com.docker.compose.service": "web" },
            "Ports": [{ "IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp" },
                      { "PrivatePort": 443, "Type": "tcp" }],
            "Mounts": [{ "Name": "data", "Driver": "local" }],
            "NetworkSettings": { "Networks": { "shop_default": {} } },
        });
        let row = Listed::read(&raw).unwrap();
        let fields = row.fields(true);
        let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert!(HEADINGS.iter().all(|(field, _)| keys.contains(field)), "{keys:?}");
        assert_eq!(fields["ID"], "0123456789ab");
        assert_eq!(fields["ExitCode"], 3);
        assert_eq!(fields["Ports"], "443/tcp, 0.0.0.0:8080->80/tcp");
        assert_eq!(fields["Networks"], "shop_default");
        assert_eq!(fields["LocalVolumes"], "1");
        assert_eq!(fields["Image"], "nginx");
        let mut by_id = raw;
        by_id["ImageID"] = "sha256:0123".into();
        by_id["Labels"][labels::IMAGE_NAME] = "nginx:1.27".into();
        for image in ["sha256:0123", "0123"] {
            by_id["Image"] = image.into();
            assert_eq!(Listed::read(&by_id).unwrap().fields(true)["Image"], "nginx:1.27");
        }
        assert_eq!(row.fields(false)["Command"], r#""sh -c \"a very long command\"""#);
    }

    #[test]
    fn sizes_and_ages_are_in_words_of_docker() {
        assert_eq!(
            (decimal(0), decimal(21_500_000), decimal(999)),
            ("0B".into(), "21.5MB".into(), "999B".into())
        );
        assert_eq!(human(1), "1 second");
        assert_eq!(human(90), "About a minute");
        assert_eq!(human(7200), "2 hours");
    }
}
