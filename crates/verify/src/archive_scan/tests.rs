use std::{io::Write as _, time::Duration};

use super::{
    budget::{LIMITS, ScanLimits},
    search::CHUNK,
    zip::tests as zips,
    *,
};

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn secrets() -> (tempfile::TempDir, Secrets) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "0123456789abcdefSECRET\n").unwrap();
    let secrets = Secrets::read(&[("key".into(), file)]).unwrap();
    (dir, secrets)
}

#[test]
fn a_secret_in_a_layer_is_named_with_its_file() {
    let (_dir, secrets) = secrets();
    let layer = tar_of(&[("app/ok", b"nothing"), ("app/.env", b"KEY=0123456789abcdefSECRET")]);
    let image = tar_of(&[("config.json", b"{}"), ("abc/layer.tar", &layer)]);
    let found = scan(image.as_slice(), &secrets).unwrap();
    assert_eq!(found.hits, ["key in /app/.env of layer abc/layer.tar"]);
    assert_eq!(found.files, 3);
}

#[test]
fn secrets_in_names_and_links() {
    let (_dir, secrets) = secrets();
    let value = "0123456789abcdefSECRET";
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, target: Option<&str>, pax: Option<(&str, &[u8])>| {
        if let Some(record) = pax {
            builder.append_pax_extensions([record]).unwrap();
        }
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        match target {
            Some(target) => builder.append_link(&mut header, path, target).unwrap(),
            None => builder.append_data(&mut header, path, io::empty()).unwrap(),
        }
    };
    add(&format!("a/{value}/x"), tar::EntryType::Regular, None, None);
    add(&format!("b/tok-{value}"), tar::EntryType::Directory, None, None);
    add("c/link", tar::EntryType::Symlink, Some(&format!("redis://u:{value}@h/")), None);
    add("d/hard", tar::EntryType::Link, Some(&format!("x/{value}")), None);
    add("e/.wh.gone", tar::EntryType::Regular, None, Some(("SCHILY.xattr.user.t", value.as_bytes())));
    add("f/right", tar::EntryType::Regular, None, None);
    let layer = builder.into_inner().unwrap();
    let found = scan(tar_of(&[("l", &layer)]).as_slice(), &secrets).unwrap();
    for folder in ["...", "b", "c", "d", "e"] {
        let hit = format!("key in a name, link or attribute in /{folder} of layer l");
        assert!(found.hits.contains(&hit), "{hit}: {:?}", found.hits);
    }
    assert_eq!(found.hits.len(), 5);
}

#[test]
fn json_of_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("amp"), "aB3&dE6<gH9>kL2&mN5pQ8").unwrap();
    let secrets = Secrets::read(&[("amp".into(), dir.path().join("amp"))]).unwrap();
    let go = r#"{"history":[{"created_by":"|1 T=aB3\u0026dE6\u003cgH9\u003ekL2\u0026mN5pQ8 /bin/sh"}]}"#;
    // The same text with escapes that no writer of today has.
    let odd = r#"{"config":{"Labels":{"x":"\u0061B3\u0026dE6\u003cgH9>kL2\u0026mN5pQ8"}}}"#;
    let image = tar_of(&[("go.json", go.as_bytes()), ("odd.json", odd.as_bytes())]);
    let hits = scan(image.as_slice(), &secrets).unwrap().hits;
    assert!(hits.iter().any(|hit| hit.starts_with("amp") && hit.ends_with("go.json")), "{hits:?}");
    assert!(hits.iter().any(|hit| hit == "amp in odd.json"), "{hits:?}");
}

#[test]
fn what_nobody_declared_is_found_by_its_name() {
    let (_dir, secrets) = secrets();
    let key =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", "MIIEvQIBADANBgkq".repeat(9));
    let layer = tar_of(&[
        ("app/id_rsa", key.as_bytes()),
        ("app/node_modules/x/test.pem", key.as_bytes()),
        ("app/.env", b"PORT=1\nDB_PASSWORD=hunter2\n"),
        ("app/.env.example", b"DB_PASSWORD=change-me\n"),
        ("root/.npmrc", b"//registry/:_authToken=npm_abc\n"),
        ("home/.npmrc", b"//registry/:_authToken=${NPM_TOKEN}\n"),
    ]);
    let config = br#"{"config":{"Env":["PATH=/bin","GPG_KEY=E3FF2839C048B25C084D","API_TOKEN=x1"],"Labels":{}},
        "history":[{"created_by":"|1 NPM_TOKEN=abc /bin/sh -c npm ci"},{"created_by":"RUN X_SECRET=$(cat /run/secrets/x) make"}]}"#;
    let image = tar_of(&[("c.json", config), ("l", &layer)]);
    let mut hits = scan(image.as_slice(), &secrets).unwrap().hits;
    hits.sort();
    assert_eq!(
        hits,
        [
            "a private key in /app/id_rsa of layer l",
            "a registry's token in /root/.npmrc of layer l",
            "a secret by its variable's name in /app/.env of layer l",
            "a value of API_TOKEN in Env of c.json",
            "a value of NPM_TOKEN in the history of c.json",
        ]
    );
}

#[test]
fn compressed_layers_and_the_configuration_are_searched() {
    let (_dir, secrets) = secrets();
    let layer = tar_of(&[("a", b"0123456789abcdefSECRET")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&layer).unwrap();
    let zstd = zstd::encode_all(layer.as_slice(), 1).unwrap();
    let image = tar_of(&[
        ("blobs/1", &gzip.finish().unwrap()),
        ("blobs/2", &zstd),
        ("blobs/3", b"{\"history\":[\"ENV KEY=0123456789abcdefSECRET\"]}"),
    ]);
    let found = scan(image.as_slice(), &secrets).unwrap();
    assert_eq!(found.hits, ["key in /a of layer blobs/1", "key in /a of layer blobs/2", "key in blobs/3"]);
}

#[test]
fn a_secret_across_two_readings_is_found() {
    let (_dir, secrets) = secrets();
    for shift in 0..24 {
        let mut content = vec![b'x'; CHUNK - shift];
        content.extend_from_slice(b"0123456789abcdefSECRET");
        let image = tar_of(&[("l", &tar_of(&[("f", &content)]))]);
        assert_eq!(scan(image.as_slice(), &secrets).unwrap().hits.len(), 1, "shift {shift}");
    }
}

#[test]
fn a_broken_archive_is_no_clean_one() {
    let (_dir, secrets) = secrets();
    let image = tar_of(&[("abc/layer.tar", &[1; 4000])]);
    assert!(scan(&image[..1000], &secrets).is_err());
}

const VALUE: &[u8] = b"KEY=0123456789abcdefSECRET";

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// What is found in one file of an image with one layer.
fn of_file(path: &str, content: &[u8], limits: ScanLimits) -> Scan {
    let (_dir, secrets) = secrets();
    let image = tar_of(&[("l", &tar_of(&[(path, content)]))]);
    scan_within(image.as_slice(), &secrets, Budget::new(limits)).unwrap()
}

#[test]
fn compressed_files_are_searched() {
    let twice = [gzip(b"nothing"), gzip(VALUE), vec![0; 40]].concat();
    for (path, content) in [
        ("db/dump.sql.gz", gzip(VALUE)),
        ("db/dump.sql.gz", twice),
        ("db/dump.sql.bz2", bzip2(VALUE)),
        ("db/dump.sql.xz", xz(VALUE)),
        ("db/dump.sql.zst", zstd::encode_all(VALUE, 1).unwrap()),
    ] {
        let found = of_file(path, &content, LIMITS);
        assert_eq!(found.hits, [format!("key in /{path}/dump.sql of layer l")]);
        assert_eq!((found.files, found.members, found.unread), (1, 1, 0), "{path}");
    }
}

#[test]
fn archives_in_archives_are_searched() {
    let plain = zips::member("WEB-INF/ok", (0, 0), b"nothing", 7);
    let jar = zips::zip(&[
        plain.clone(),
        zips::member("WEB-INF/db.properties", (0, 8), &zips::deflated(VALUE), VALUE.len()),
    ]);
    let piped = zips::zip(&[
        zips::member("a/ok", (8, 8), &zips::deflated(b"nothing"), 7),
        zips::member("a/db.properties", (8, 8), &zips::deflated(VALUE), VALUE.len()),
    ]);
    let packed = zips::zip(&[zips::member("a.xz", (0, 95), &xz(VALUE), VALUE.len())]);
    let line = [b"#!/usr/bin/env python3\n", jar.as_slice()].concat();
    let long = format!("{}/db.properties.gz", "n".repeat(150));
    for (path, content, place) in [
        ("app.jar", jar.clone(), "app.jar/WEB-INF/db.properties"),
        ("app.pyz", line, "app.pyz/WEB-INF/db.properties"),
        ("b.whl", piped, "b.whl/a/db.properties"),
        ("c.zip", packed, "c.zip/a.xz"),
        ("d.tgz", gzip(&tar_of(&[("./lib/app.jar", &jar)])), "d.tgz/d.tar/lib/app.jar/WEB-INF/db.properties"),
        (
            "e.zip",
            zips::zip(&[zips::member("app.jar", (0, 0), &jar, jar.len())]),
            "e.zip/app.jar/WEB-INF/db.properties",
        ),
        ("f.tar", tar_of(&[("ok", b"nothing"), ("x", VALUE)]), "f.tar/x"),
        ("g.tar", gnu_tar(&long, &gzip(VALUE)), &format!("g.tar/{long}/db.properties")),
    ] {
        let found = of_file(path, &content, LIMITS);
        assert_eq!(found.hits, [format!("key in /{place} of layer l")]);
        assert_eq!((found.files, found.unread), (1, 0), "{path}: {:?}", found.unread_examples);
    }
}

/// With an entry that holds the name of the next one.
fn gnu_tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn what_nobody_declared_is_found_in_archives() {
    let files = [("root/.npmrc", &b"//registry/:_authToken=npm_abc\n"[..]), ("ok", b"nothing")];
    assert_eq!(
        of_file("app/home.tar.gz", &gzip(&tar_of(&files)), LIMITS).hits,
        ["a registry's token in /app/home.tar.gz/home.tar/root/.npmrc of layer l"]
    );
    let found = of_file("app/.env.gz", &gzip(b"DB_PASSWORD=hunter2\n"), LIMITS);
    assert_eq!(found.hits, ["a secret by its variable's name in /app/.env.gz/.env of layer l"]);
    // A package's example.
    let found = of_file("app/node_modules/x/test.tgz", &gzip(&tar_of(&files)), LIMITS);
    assert_eq!((found.hits.len(), found.unread), (0, 0));
}

#[test]
fn what_is_beyond_a_bound_is_said() {
    let zeros = vec![b' '; 3 << 20];
    let small = ScanLimits { free: 1 << 20, ..LIMITS };
    let deep = gzip(&gzip(&gzip(VALUE)));
    for (path, content, limits, why) in [
        ("bomb.gz", gzip(&zeros), small, "unpacks to more than 1 MiB"),
        ("large.gz", gzip(&zeros), ScanLimits { file: 1 << 20, ..LIMITS }, "unpacks to more than 1 MiB"),
        ("many.gz", gzip(&zeros), ScanLimits { image: 1 << 20, ..LIMITS }, "what the image holds compressed"),
        ("late.gz", gzip(&zeros), ScanLimits { time: Duration::ZERO, ..LIMITS }, "and no longer"),
        ("deep.gz", deep, ScanLimits { depth: 2, ..LIMITS }, "it lies in 2 archives"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), LIMITS, "a 7z archive"),
        ("cut.gz", gzip(&zeros)[..900].to_vec(), LIMITS, ""),
        ("locked.zip", zips::zip(&[zips::member("x", (1, 8), b"?", 1)]), LIMITS, "encrypted"),
        ("odd.zip", zips::zip(&[zips::member("x", (0, 9), b"?", 1)]), LIMITS, "method 9"),
        ("cut.zip", zips::member("x", (0, 0), b"?", 1), LIMITS, "ends before its directory"),
        ("setup.exe", [b"MZ", zips::zip(&[]).as_slice()].concat(), LIMITS, "behind other bytes"),
    ] {
        let found = of_file(path, &content, limits);
        assert_eq!((found.hits.len(), found.unread, found.files), (0, 1, 1), "{path}: {:?}", found.hits);
        let said = &found.unread_examples[0];
        assert!(said.starts_with(&format!("/{path} of layer l: ")) && said.contains(why), "{said}");
    }
    // Within the bounds it is nothing to be said.
    assert_eq!(of_file("zeros.gz", &gzip(&zeros), LIMITS).unread, 0);
}

#[test]
fn a_compressed_value_in_the_configuration() {
    use base64::Engine as _;
    let (_dir, secrets) = secrets();
    let packed = base64::engine::general_purpose::STANDARD.encode(gzip(VALUE));
    let config = format!("{{\"config\":{{\"Env\":[\"SETTINGS={packed}\"]}}}}");
    let image = tar_of(&[("c.json", config.as_bytes())]);
    assert_eq!(scan(image.as_slice(), &secrets).unwrap().hits, ["key, compressed in base64 in c.json"]);
}

#[test]
fn what_was_read_in_parts_is_not_taken_for_whole() {
    // A variable in the part that is no longer there.
    let content = [b"DB_PASSWORD=hunter2\n".as_slice(), &vec![b'#'; CHUNK + 1024]].concat();
    let (_dir, secrets) = secrets();
    let keep = secrets.longest().saturating_sub(1).max(22);
    let exact = &content[..CHUNK + keep];
    let mut watched = Watched::new(exact, &secrets);
    io::copy(&mut watched, &mut io::sink()).unwrap();
    let searched = watched.finish().unwrap();
    assert_eq!((searched.bytes, searched.whole), (exact.len() as u64, None));
}
