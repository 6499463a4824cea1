//! Secret values where they must not be: in other forms, undeclared, plain, in what an image holds.

use std::io::Write as _;

use plimsoll_engine::ContainerSpec;
use plimsoll_verify::Status;
use sha2::{Digest as _, Sha256};

use crate::{
    busybox, rows,
    stand::{Row, Stand, absent, failed, is, proved},
};

/// `RIGHT` with a secret file for the store.
const SECRET: &str = "secrets: { key: { file: ./key } }\nservices: { store: { secrets: [key] } }\n";

const USUAL: Row = Row { files: &[("key", "requirepass kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE\n")], ..Row::RIGHT };

/// The secret, and variables of the backend.
macro_rules! with {
    ($($variable:literal),*) => {
        concat!(
            "secrets: { key: { file: ./key } }\nservices: { store: { secrets: [key] }, backend: { environment: [",
            $("'", $variable, "',",)* "] } }"
        )
    };
}

const VALUE: &[u8] = b"requirepass kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE\n";

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Runs a one-off container of the backend whose image holds this file.
async fn with_a_file_in_an_image(stand: &Stand, image: &str, path: &str, content: &[u8]) {
    let hex = |bytes: &[u8]| {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    };
    let layer = tar_of(&[("bin/busybox", busybox::busybox()), (path, content)]);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["/bin/busybox","sleep","600"]}},"rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#,
        hex(&layer)
    );
    let name = format!("{}.json", hex(config.as_bytes()));
    let manifest = format!(r#"[{{"Config":"{name}","RepoTags":["{image}"],"Layers":["layer.tar"]}}]"#);
    let archive =
        tar_of(&[(&name, config.as_bytes()), ("layer.tar", &layer), ("manifest.json", manifest.as_bytes())]);
    stand.engine.load_with(move |out| out.write_all(&archive)).await.unwrap();
    let spec = ContainerSpec {
        name: format!("{}-packed", stand.name),
        image: image.to_owned(),
        labels: stand.one_off("backend"),
        stop_grace: Some(0),
        ..ContainerSpec::default()
    };
    let id = stand.engine.create_container(&spec).await.unwrap();
    stand.engine.start_container(&id).await.unwrap();
}

rows! {
    /// Nothing is anywhere; names that only look like it are no secrets.
    secrets_that_are_kept: Row {
        over: with!("POSTGRES_PASSWORD_FILE=/run/secrets/key", "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
            "TOKEN_LIFETIME=3600", "DATABASE_URL=postgres://app@store/app", "PUBLIC_KEY=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"),
        claims: &[proved("secrets-runtime", "backend"), proved("secrets-runtime", "store"), proved("secrets-image", "front, backend, store, job")],
        ..USUAL
    };
    /// In an Authorization header.
    secret_in_base64: Row { over: with!("AUTH_HEADER=Basic cGl2b3RhbDprWDl2UTJtVDdyQjRuTDh3WjNwRDZzRjFoSjVnQzBhRQ=="), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// In hexadecimal.
    secret_in_hexadecimal: Row { over: with!("X=6b58397651326d54377242346e4c38775a33704436734631684a356743306145"), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// In two halves.
    secret_in_another_form: Row { over: with!("A=kX9vQ2mT7rB4nL8wZ3pD6", "B=sF1hJ5gC0aEx"), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// Backwards.
    secret_reversed: Row { over: with!("A=Ea0Cg5Jh1Fs6Dp3Zw8Ln4Br7Tm2Qv9Xk"), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// Nobody declared them; their names say it.
    passwords_that_are_no_secret_files: Row {
        over: "services: { backend: { environment: { SESSION_SECRET: kJ8s7dfg6sdf98g7sdfg98sdf7g } }, store: { environment: { DB_PASSWORD: hunter2hunter2 } } }",
        claims: &[failed("secrets-runtime", "backend"), failed("secrets-runtime", "store"), proved("secrets-runtime", "front")],
        ..Row::RIGHT
    };
    /// A URL with a password, and an argument.
    passwords_in_urls_and_arguments: Row {
        over: "services: { backend: { environment: { DATABASE_URL: 'postgres://app:hunter2@store/app' } }, store: { command: [sh, -c, 'exec busybox httpd -f -p 6379 -h /etc', --requirepass, hunter2hunter2] } }",
        claims: &[failed("secrets-runtime", "backend"), failed("secrets-runtime", "store"), proved("secrets-runtime", "front")],
        ..Row::RIGHT
    };
    /// A label.
    a_token_in_a_label: Row {
        over: "services: { backend: { labels: { org.example.api-token: abcdef123456 } } }",
        claims: &[failed("secrets-runtime", "backend"), proved("secrets-runtime", "front")],
        ..Row::RIGHT
    };
    /// Words, and a PIN of seven characters: found where they are a variable's value, and named as not checked.
    passwords_too_plain_to_be_searched: Row {
        files: &[("phrase", "requirepass correct-horse-battery-staple\n"), ("pin", "s3cr3t!")],
        over: r"
secrets: { phrase: { file: ./phrase }, pin: { file: ./pin } }
services:
  backend: { environment: { SENTENCE: correct-horse-battery-staple } }
  store: { secrets: [phrase, pin], environment: { CODE: s3cr3t! } }
",
        claims: &[
            failed("secrets-runtime", "backend"),
            failed("secrets-runtime", "store"),
            proved("secrets-runtime", "front"),
            is(Status::NotChecked, "secrets-runtime", "secret pin"),
        ],
        ..Row::RIGHT
    };
    /// A key that is in the image as well: a line of its /etc/passwd.
    secret_that_is_a_file_of_the_image: Row {
        over: SECRET,
        files: &[("key", "app:x:1000:1000::/:/bin/sh\n")],
        claims: &[failed("secrets-image", "front, backend, store, job")],
        ..USUAL
    };
    /// Somebody made the file readable for all, on the host.
    secret_that_all_can_read: Row {
        over: "secrets: { key: { file: ./key } }\nservices: { store: { secrets: [key] }, backend: { secrets: [key] } }",
        act: |stand| Box::pin(async move {
            use std::os::unix::fs::PermissionsExt as _;
            let all = stand.files_holding("kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE");
            let of_store: Vec<_> = all.iter().filter(|path| path.display().to_string().contains("store")).collect();
            assert!(!of_store.is_empty(), "{all:?}");
            for path in of_store {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444)).unwrap();
            }
        }),
        claims: &[failed("secret-files", "store"), proved("secret-files", "backend")],
        ..USUAL
    };
    /// Compressed, and in base64.
    secret_compressed_in_a_variable: Row { over: with!("CONFIG=H4sIAAAAAAAC/6tWKkgsLi7PL0pRslLKjrAsCzTKDTEvcjLJ87EojzIucDErdjPM8DJNdzZIdFWqBQCKrti2LwAAAA=="), claims: &[failed("secrets-runtime", "backend"), proved("secrets-runtime", "store")], ..USUAL };
    /// Other settings in that form.
    settings_compressed_in_a_variable: Row {
        over: with!("CONFIG=H4sIAAAAAAAC/6tWysgvLlGyUiouyS9KVdJRKsgvAnLNjM0tdZTyEnNTi5WsopUSgRJJSrG1AMG/u2AuAAAA"),
        claims: &[proved("secrets-runtime", "backend"), absent("secrets-runtime", "backend: compressed values")],
        ..USUAL
    };
    /// Cut off: nobody knows what it was.
    a_compressed_variable_that_is_cut: Row {
        over: with!("CONFIG=H4sIAAAAAAAC/6tWysgvLlGyUiouyS9KVdJRKsgvAnLNjM0tdZTyEg"),
        claims: &[is(Status::NotChecked, "secrets-runtime", "backend: compressed values")],
        ..USUAL
    };
    /// A dump that was left in an image, in an archive.
    secret_in_an_archive_of_an_image: Row {
        over: SECRET,
        act: |stand| Box::pin(async move {
            let dump = gzip(&tar_of(&[("db/readme", b"a dump"), ("db/dump.sql.gz", &gzip(VALUE))]));
            with_a_file_in_an_image(stand, "plimsoll-test/packed-secret:1", "app/backup.tar.gz", &dump).await;
        }),
        claims: &[
            failed("secrets-image", "backend"),
            absent("secrets-image", "backend: archives"),
            proved("secrets-image", "front, backend, store, job"),
        ],
        ..USUAL
    };
    /// Archives without a secret.
    archives_of_an_image: Row {
        over: SECRET,
        act: |stand| Box::pin(async move {
            let pages = gzip(&tar_of(&[("index.html", b"<h1>pages</h1>"), ("app.js.gz", &gzip(b"run()"))]));
            with_a_file_in_an_image(stand, "plimsoll-test/packed:1", "app/pages.tar.gz", &pages).await;
        }),
        claims: &[proved("secrets-image", "backend"), absent("secrets-image", "backend: archives")],
        ..USUAL
    };
    /// What nothing here unpacks may hold anything.
    an_archive_that_is_not_unpacked: Row {
        over: SECRET,
        act: |stand| Box::pin(async move {
            let image = "plimsoll-test/packed-otherwise:1";
            with_a_file_in_an_image(stand, image, "app/backup.7z", b"7z\xbc\xaf\x27\x1c\x00\x04").await;
        }),
        claims: &[proved("secrets-image", "backend"), is(Status::NotChecked, "secrets-image", "backend: archives")],
        ..USUAL
    };
}
