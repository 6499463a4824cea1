//! What a program finds in its environment.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use support::{file, planned};

const COMPOSE: &str = "compose.production.yml";
const LOCK: (&str, &str) = ("package-lock.json", r#"{ "lockfileVersion": 3 }"#);

/// The Compose file for one server with these packages besides Express, and these files.
fn compose(packages: &str, files: &[(&str, &str)]) -> String {
    let manifest = format!(
        r#"{{ "name": "shop", "scripts": {{ "start": "node index.js" }}, "dependencies": {{ "express": "5"{packages} }} }}"#
    );
    let mut all = vec![("package.json", manifest.as_str()), LOCK];
    all.extend_from_slice(files);
    file(&planned(&all), COMPOSE)
}

const LISTENS: &str = "require('express')().listen(process.env.PORT || 3000);\n";

#[test]
fn no_name_stands_beside_the_file_with_its_value() {
    let program = format!(
        "const {{ Sequelize }} = require('sequelize');\n\
         const address = process.env.DATABASE_POOL_URL || process.env.DATABASE_URL;\n\
         new Sequelize(address, {{ dialect: 'postgres' }});\n{LISTENS}"
    );
    let compose = compose(r#", "sequelize": "6", "pg": "8""#, &[("index.js", &program)]);
    for name in ["DATABASE_POOL_URL", "DATABASE_URL"] {
        assert!(compose.contains(&format!("{name}_FILE: /run/secrets/")), "{compose}");
        assert!(!compose.contains(&format!(" {name}:")), "{compose}");
    }
}

#[test]
fn an_address_with_the_services_own_port_is_no_other_server() {
    let server = |name: &str, program: &str| {
        let manifest = format!(
            r#"{{ "name": "{name}", "scripts": {{ "start": "node index.js" }}, "dependencies": {{ "express": "5" }} }}"#
        );
        (manifest, program.to_owned())
    };
    let own =
        "const self = process.env.SHOWN_AT || 'http://localhost:3000';\nrequire('express')().listen(3000);\n";
    let (first, second) = (server("shown", own), server("other", "require('express')().listen(3000);\n"));
    let planned = planned(&[
        ("package.json", r#"{ "name": "desk", "workspaces": ["apps/*"] }"#),
        LOCK,
        ("apps/shown/package.json", &first.0),
        ("apps/shown/index.js", &first.1),
        ("apps/other/package.json", &second.0),
        ("apps/other/index.js", &second.1),
    ]);
    let compose = file(&planned, COMPOSE);
    assert!(compose.contains(" SHOWN_AT:") && !compose.contains("http://other:3000"), "{compose}");
}
