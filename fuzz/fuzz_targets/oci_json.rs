//! Any index, manifest and configuration: parsing does not panic and is stable, and an OCI layout or a Docker archive
//! of these documents is loaded or refused, whatever they point at.
//!
//! Sections are separated by zero bytes: index, Docker's manifest, manifest, configuration, a name. `$C`, `$M`, `$L`
//! in them stand for the digests of configuration, manifest and layer, `$c` and so on for their sizes.
#![no_main]
use std::{cell::RefCell, fs};

use libfuzzer_sys::fuzz_target;
use plimsoll_fuzz::place::Place;
use plimsoll_image::{
    Digest, ImageConfig, Reference, Store,
    manifest::{Index, Manifest, Platform},
    output,
};
use serde::{Serialize, de::DeserializeOwned};

thread_local! {
    static PLACE: RefCell<(Place, u32)> = RefCell::new((Place::new("json"), 0));
}

/// What was read and written is read again as the same.
fn stable<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        let written = serde_json::to_string(&value).expect("it is written");
        let again: T = serde_json::from_str(&written).expect("what we wrote is read");
        assert_eq!(again, value);
    }
}

fuzz_target!(|text: &str| {
    let mut sections = text.split('\0').map(str::to_owned);
    let mut next = || sections.next().unwrap_or_default();
    let (mut index, mut docker, mut manifest, mut config, name) = (next(), next(), next(), next(), next());
    stable::<Index>(&index);
    stable::<Manifest>(&manifest);
    stable::<ImageConfig>(&config);
    if let Ok(reference) = Reference::parse(&name) {
        assert_eq!(Reference::parse(&reference.canonical()).expect("a name of ours"), reference);
    }
    if let Some(platform) = Platform::parse(&name) {
        assert!(platform.accepts(&platform));
    }

    let layer = [0_u8; 1024];
    let fill = |text: &mut String, sign: &str, bytes: &[u8]| {
        *text = text.replace(&format!("${sign}"), Digest::of(bytes).hex().as_str());
        *text = text.replace(&format!("${}", sign.to_lowercase()), &bytes.len().to_string());
    };
    fill(&mut config, "L", &layer);
    fill(&mut manifest, "L", &layer);
    fill(&mut manifest, "C", config.as_bytes());
    for text in [&mut index, &mut docker] {
        fill(text, "L", &layer);
        fill(text, "C", config.as_bytes());
        fill(text, "M", manifest.as_bytes());
    }
    PLACE.with_borrow_mut(|(place, runs)| {
        let store =
            Store::open(if *runs % 256 == 0 { place.folder("store") } else { place.root().join("store") })
                .expect("a store");
        *runs += 1;
        for with_index in [true, false] {
            let folder = place.folder("layout");
            let blobs = folder.join("blobs/sha256");
            fs::create_dir_all(&blobs).expect("a folder");
            for bytes in [&layer, config.as_bytes(), manifest.as_bytes()] {
                fs::write(blobs.join(Digest::of(bytes).hex()), bytes).expect("a blob");
            }
            if with_index {
                fs::write(folder.join("index.json"), &index).expect("a file");
            } else {
                fs::write(folder.join("manifest.json"), &docker).expect("a file");
            }
            if let Ok(records) = output::load(&store, &folder, &Platform::host()) {
                for record in records {
                    assert_eq!(record.layers.len(), record.config.rootfs.diff_ids.len());
                }
            }
        }
        place.check();
    });
});
