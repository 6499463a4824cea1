//! examples/pivotal with TLS at its own front, from the answer to the certificate of the measurement.

mod support;

use std::{collections::BTreeMap, net::TcpListener, process::Command};

use serde_json::Value;
use support::Project;

/// Makes what the head of the Compose file's secrets tells people to make for a try.
fn make_certificate(project: &Project) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-out", "secrets/tls_certificate", "-keyout", "secrets/tls_key"])
        .current_dir(&project.dir)
        .output()
        .expect("openssl starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Subject and status of each claim with this id.
fn statuses(certificate: &Value, id: &str) -> BTreeMap<String, String> {
    let claims = certificate["claims"].as_array().expect("claims");
    let text = |claim: &Value, key: &str| claim[key].as_str().unwrap_or_default().to_owned();
    claims
        .iter()
        .filter(|claim| claim["id"] == id)
        .map(|claim| (text(claim, "subject"), text(claim, "status")))
        .collect()
}

#[test]
fn a_front_ends_tls_and_it_is_proved() {
    let Some(project) = Project::of("pivotal", "tls") else { return };
    let https = TcpListener::bind(("0.0.0.0", 0)).and_then(|listener| listener.local_addr());
    let https = https.expect("a port is free").port();
    project.write(".env", &format!("HTTPS_PORT={https}\n"));
    project.ok(&["init", "--yes", "--answer", "tls=files"]);

    // told before anything is built
    let run = project.run(&["up"]);
    assert_eq!(run.code, 2);
    run.says(&["tls_certificate", "compose.production.yml:", "a certificate, its key"]);

    make_certificate(&project);
    project.ok(&["up"]).says(&[&format!("https://localhost:{https}")]);

    // Nobody else knows the certificate: that is said, and everything else holds.
    let run = project.run(&["verify", "--json", "--no-disturb"]);
    let certificate: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let tls = statuses(&certificate, "tls");
    assert_eq!(run.code, 1, "{tls:#?}");
    assert_eq!(tls["frontend:8443 trust"], "failed", "{tls:#?}");
    let claims = certificate["claims"].as_array().expect("claims");
    let failed: Vec<_> = claims.iter().filter(|claim| claim["status"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");

    // Whoever says that visitors' machines trust it has it all.
    let policy = project.read("plimsoll.toml");
    let known = "\n[tls]\nname = \"localhost\"\nroots = \"secrets/tls_certificate\"\n";
    project.write("plimsoll.toml", &format!("{policy}{known}"));
    let run = project.run(&["verify", "--json", "--no-disturb"]);
    let certificate: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let tls = statuses(&certificate, "tls");
    for what in ["8443 versions", "8443 certificate", "8443 names", "8443 trust", "8080 without TLS"] {
        assert_eq!(tls[&format!("frontend:{what}")], "proved", "{tls:#?}");
    }
    let headers = statuses(&certificate, "security-headers");
    assert_eq!(headers["frontend:8443 HSTS"], "proved", "{headers:#?}");
    let health = statuses(&certificate, "health-endpoint");
    assert_eq!(health["frontend:8443 /health"], "proved", "{health:#?}");
    assert_eq!(run.code, 0, "{}", run.stderr);
    project.ok(&["down", "--volumes"]);
}
