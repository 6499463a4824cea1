//! Fronts that end TLS themselves, with a certificate that the team puts into files (`--answer tls=files`).

use super::Passes;
use crate::{
    escape, rules,
    stack::{Build, FrontPort, HttpsPort, Reader, SecretContent, Setting, Tls, Unit},
};

/// nginx listens here for TLS: a port below 1024 would need a privilege on some engines.
const PORT: u16 = 8443;

/// The variable from which nginx knows the published port, which redirects name.
const PUBLISHED: &str = "NGINX_HTTPS_PORT";

/// Gives every front the certificate and a second published port. All have the same one: a certificate holds many names.
pub(super) fn plan(
    passes: &mut Passes<'_>,
    builds: &mut [Build],
    units: &mut [Unit],
    ports: &mut [FrontPort],
) {
    let Some(first) = ports.first().map(|port| port.name.clone()) else { return };
    let certificate = passes.secrets.add(&["tls_certificate"], &Reader::Front, &SecretContent::OfTeam);
    let key = passes.secrets.add(&["tls_key"], &Reader::Front, &SecretContent::OfTeam);
    for (number, front) in ports.iter_mut().enumerate() {
        let variable = if number == 0 {
            "HTTPS_PORT".to_owned()
        } else {
            front.variable.strip_suffix("_PORT").map_or_else(String::new, |name| format!("{name}_HTTPS_PORT"))
        };
        let port = PORT + u16::try_from(number).unwrap_or(u16::MAX - PORT);
        let published = escape::compose_default(&variable, &port.to_string());
        front.https = Some(HttpsPort { variable, port, inside: PORT });
        for unit in units.iter_mut().filter(|unit| unit.name == front.name) {
            unit.published = Some(front.clone());
            unit.secrets = vec![certificate.clone(), key.clone()];
            let mut setting = Setting::new(PUBLISHED, published.clone().unwrap_or_default());
            setting.reason = Some("Redirects to HTTPS name it.".to_owned());
            unit.environment.push(setting);
        }
        let mut builds = builds.iter_mut().filter(|build| build.name == front.name);
        if let Some(nginx) = builds.find_map(|build| build.kind.nginx_mut()) {
            nginx.tls = Some(Tls { port: PORT, certificate: certificate.clone(), key: key.clone() });
        }
    }
    passes.note(rules::CERTIFICATE_NEEDED,
        &first,
        format!(
            "it ends TLS with the certificate in secrets/{certificate} and the key in secrets/{key}: both are yours to put there"
        ),
        "PEM, the certificate first and its chain behind it; the Compose file has a command that makes one for a try",
        &[],
    );
}
