//! What images and registries bring beside layers and manifests: names, platforms, `WWW-Authenticate`, error documents,
//! Docker's configuration, requests to a registry of our own, lists of packages.
//!
//! Writes files below the temporary directory. The first byte selects.
#![no_main]
use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use plimsoll_fuzz::{
    place::Place,
    text::{Quick, expand},
};
use plimsoll_image::{Digest, LayerCompression, Reference, fuzzing, manifest::Platform, purl};

thread_local! {
    static PLACE: RefCell<(Place, u32)> = RefCell::new((Place::new("image"), 0));
}

fuzz_target!(|data: &[u8]| {
    let _quick = Quick::new();
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b's' => return serve(data),
        b'c' => {
            let text = String::from_utf8_lossy(data);
            let _ = fuzzing::docker_config(expand(&text).as_bytes());
            return;
        }
        b'w' => {
            let words = fuzzing::words(data);
            assert!(!words.chars().any(char::is_control) && words.chars().count() <= 3 * 202);
            return;
        }
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = &*expand(text);
    match kind {
        b'r' => name(text),
        b'a' => {
            if let Some(parts) = fuzzing::challenge(text) {
                assert!(parts.iter().flatten().all(|part| part.len() <= text.len()));
            }
            // A quoted value is read back.
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer service=x, realm=\"{quoted}\",scope=\"{quoted}\"");
            let wanted = Some(vec![Some(text.to_owned()), Some("x".to_owned()), Some(text.to_owned())]);
            assert_eq!(fuzzing::challenge(&header), wanted);
        }
        b'p' => fuzzing::packages(text),
        _ => {}
    }
});

fn name(text: &str) {
    if let Ok(reference) = Reference::parse(text) {
        let canonical = reference.canonical();
        assert_eq!(Reference::parse(&canonical).expect("a name of ours"), reference);
        assert!(!canonical.contains(|c: char| c.is_whitespace() || c.is_control()));
        assert_eq!(Reference::parse(&reference.familiar()).expect("a name of ours"), reference);
        let url = purl::docker(&reference, Some(&Platform::host()));
        assert!(url.is_ascii() && !url.contains(' '));
    }
    if let Some(platform) = Platform::parse(text) {
        assert_eq!(Platform::parse(&platform.to_string()).as_ref(), Some(&platform));
        assert!(platform.accepts(&platform));
    }
    if let Ok(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text);
    }
    let _ = LayerCompression::parse(text);
}

/// One connection: every answer has a head, and nothing beside the registry's folder is touched.
fn serve(requests: &[u8]) {
    PLACE.with_borrow_mut(|(place, runs)| {
        let root = if *runs % 64 == 0 { place.folder("registry") } else { place.root().join("registry") };
        *runs += 1;
        if let Ok(answers) = fuzzing::serve(&root, requests) {
            assert!(answers.is_empty() || answers.starts_with(b"HTTP/1.1 "));
        }
        place.check();
    });
}
