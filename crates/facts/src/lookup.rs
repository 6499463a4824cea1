//! What an image, a process, a port or an address tells.

use crate::{ImageName, Software, StoreKind, images, software::Image};

/// A software that an image's name tells.
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// The software.
    pub software: &'static Software,
    /// It is the image that the facts describe; another maker's may have another contract.
    pub own: bool,
}

/// The software of this id.
pub fn named(id: &str) -> Option<&'static Software> {
    images::all().find(|software| software.id == id)
}

/// The software of an image, by the last part of its name: `docker.io/library/postgres:17`, `bitnami/postgresql`.
pub fn of_image(image: &str) -> Option<Match> {
    let name = ImageName::read(image);
    // Google's have one name for each language and release of Debian.
    if name.owner.split('/').any(|part| part == "distroless") {
        let own = name.registry == Some("gcr.io");
        return Some(Match { software: &images::distroless::SOFTWARE, own });
    }
    let fits =
        |known: &&Image| known.name == name.name && known.owner.is_none_or(|owner| owner == name.owner);
    images::all().find_map(|software| {
        let image = software.images.iter().find(fits)?;
        Some(Match { software, own: image.makers.contains(&name.owner) })
    })
}

/// The store that an image runs, also where its name only has the store's as a word of it: `shop-redis`. A guess that is
/// right to be wary with; [`of_image`] says what is certain.
pub fn store_of_image(image: &str) -> Option<&'static Software> {
    if let Some(found) = of_image(image) {
        return Some(found.software).filter(|software| software.is_store());
    }
    let name = ImageName::read(image).name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(['-', '_', '.']).collect();
    // An exporter or an administrator's page is named after what it looks at.
    let beside =
        ["exporter", "admin", "commander", "insight", "express", "browser", "ui", "backup", "client"];
    if words.iter().any(|word| beside.contains(word)) {
        return None;
    }
    store_of_process(&name).or_else(|| words.into_iter().find_map(store_by_word))
}

/// A store by one word of an image's name.
fn store_by_word(word: &str) -> Option<&'static Software> {
    let named = |software: &&'static Software| {
        let mut images = software.images.iter().filter(|image| image.word);
        images.any(|image| image.name == word) || software.processes.contains(&word)
    };
    stores().find(named)
}

/// The store that a process is a part of, by the kernel's name of it. An image's title may be asked the same way.
pub fn store_of_process(name: &str) -> Option<&'static Software> {
    let named = |software: &&'static Software| {
        software.processes.contains(&name)
            || software.images.iter().any(|image| image.word && image.name == name)
    };
    stores().find(named)
}

/// The store that alone listens on a TCP port.
pub fn store_of_port(number: u16) -> Option<&'static Software> {
    stores().find(|software| {
        let ports = software.ports.map(|ports| ports.value).unwrap_or_default();
        ports.iter().any(|port| port.number == number && port.tells_store)
    })
}

/// The store that the scheme of an address names, with or without a driver: `postgresql+psycopg`.
pub fn store_of_scheme(scheme: &str) -> Option<&'static Software> {
    let plain = scheme.split('+').next()?;
    stores().find(|software| software.schemes.contains(&plain))
}

/// Ports of services of the machine that are no stores: SSH, SMTP, DNS.
const OTHER_PROTOCOLS: [u16; 3] = [22, 25, 53];

/// Whether a TCP port is known for a protocol that is not HTTP.
pub fn speaks_no_http(number: u16) -> bool {
    OTHER_PROTOCOLS.contains(&number)
        || stores().any(|software| {
            let ports = software.ports.map(|ports| ports.value).unwrap_or_default();
            ports.iter().any(|port| port.number == number && port.tells_store && !port.http)
        })
}

/// A variable whose password counts for an empty data folder alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDataPassword {
    /// The variable; with `_FILE` behind it, it names a file.
    pub variable: &'static str,
    /// The folder that the data are in or below.
    pub data: &'static str,
}

/// All of these variables, each once, in an order that stays: digests are made over them in turn.
pub fn new_data_passwords() -> Vec<NewDataPassword> {
    let mut found: Vec<NewDataPassword> = Vec::new();
    for software in stores() {
        let Some((passwords, data)) = software.new_data_passwords.zip(software.data_root()) else { continue };
        for &variable in passwords.value {
            if found.iter().all(|known| known.variable != variable || known.data != data) {
                found.push(NewDataPassword { variable, data });
            }
        }
    }
    found
}

fn stores() -> impl Iterator<Item = &'static Software> {
    images::all().filter(|software| software.is_store())
}

impl Match {
    /// The kind of store, where it is one that stacks know.
    pub fn store(&self) -> Option<StoreKind> {
        self.software.store
    }
}
