//! Any archive is imported as a layer, plain or compressed: no panic, nothing outside is touched, and a layer that was
//! accepted gives a tar that is accepted again as the same layer.
#![no_main]
use std::cell::RefCell;

use libfuzzer_sys::{arbitrary, arbitrary::Arbitrary, fuzz_target};
use plimsoll_fuzz::{
    archive::{Piece, archive},
    place::Place,
};
use plimsoll_image::{ImportLimits, Store};

#[derive(Arbitrary, Debug)]
enum Input {
    /// Bytes as they come, perhaps behind a compression's magic.
    Raw(Vec<u8>),
    Members {
        pieces: Vec<Piece>,
        whole: bool,
        form: u8,
    },
}

thread_local! {
    static PLACE: RefCell<(Place, u32)> = RefCell::new((Place::new("layer"), 0));
}

fuzz_target!(|input: Input| {
    let bytes = match &input {
        Input::Raw(bytes) => bytes.clone(),
        Input::Members { pieces, whole, form } => {
            let tar = archive(pieces, *whole);
            match form % 4 {
                0 => zstd::encode_all(tar.as_slice(), 1).expect("memory is enough"),
                _ => tar,
            }
        }
    };
    PLACE.with_borrow_mut(|(place, runs)| {
        let store =
            Store::open(if *runs % 256 == 0 { place.folder("store") } else { place.root().join("store") })
                .expect("a store");
        *runs += 1;
        let limits = ImportLimits { entries: 1000, bytes: 1 << 20 };
        if let Ok(layer) = store.import_layer_within(bytes.as_slice(), &limits) {
            let mut tar = Vec::new();
            store.write_layer_tar(&layer.id, &mut tar).expect("an imported layer has a tar");
            let again = store.import_layer(tar.as_slice()).expect("our own tar is read");
            assert_eq!(again.id, layer.id);
        }
        place.check();
        let left = |folder: &str| std::fs::read_dir(store.root().join(folder)).expect("a folder").count();
        assert_eq!((left("drafts"), left("tmp")), (0, 0), "a draft was left behind");
    });
});
