//! A store reads its password for an empty volume alone: a new secret for an old volume is seen before anything is done.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "the support serves several test programs")]

mod support;

use std::fs;

use plimsoll_stack::{Desired, PlanOptions, StackFiles, changed_passwords, labels, plan};
use support::{Scratch, converged, files, project, wanted_of};

const COMPOSE: &str = "
services:
  postgres:
    image: postgres:17
    environment: { POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password }
    secrets: [postgres_password]
    volumes: [postgres_data:/var/lib/postgresql/data]
  cache:
    image: redis:8
    volumes: [cache:/data]
secrets: { postgres_password: { file: secret } }
volumes: { postgres_data: {}, cache: {} }
";

fn of(scratch: &Scratch, secret: &str) -> (Desired, StackFiles) {
    fs::write(scratch.0.join("secret"), secret).unwrap();
    let project = project("shop", COMPOSE, &scratch.0);
    let files = files(&project, &scratch.0.join("state"));
    (wanted_of(&project, &files), files)
}

#[test]
fn new_secrets_for_an_old_volume() {
    let scratch = Scratch::new("passwords");
    let (first, first_files) = of(&scratch, "old\n");
    let observed = converged(&first);
    let label = |name: &str| {
        let volume = observed.volumes.iter().find(|volume| volume.spec.name == name).unwrap();
        volume.spec.labels.get(labels::PASSWORD).cloned()
    };
    assert!(label("shop_postgres_data").is_some_and(|digest| !digest.contains("old")));
    assert_eq!(label("shop_cache"), None);
    assert_eq!(changed_passwords(&first, &observed, &first_files), []);
    // a line break more is the same password
    let (same, same_files) = of(&scratch, "old");
    assert_eq!(changed_passwords(&same, &observed, &same_files), []);

    let (second, second_files) = of(&scratch, "new");
    let changed = changed_passwords(&second, &observed, &second_files);
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].volume.as_str(), changed[0].service.as_str(), changed[0].variables.as_slice()),
        ("postgres_data", "postgres", &["POSTGRES_PASSWORD".to_owned()][..])
    );
    // the digest is no difference of the volume: its data stay
    let plan = plan(&second, &observed, &PlanOptions::default()).unwrap();
    assert!(plan.notes.iter().all(|note| !note.contains("labels changed")), "{:?}", plan.notes);

    // a volume of before has no digest, and nothing is said of it
    let mut older = observed.clone();
    for volume in &mut older.volumes {
        volume.spec.labels.remove(labels::PASSWORD);
    }
    assert_eq!(changed_passwords(&second, &older, &second_files), []);
}
