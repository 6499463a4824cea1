//! Any archive is unpacked by `ADD archive /d/`, in a real build: no panic, nothing outside is touched, and the image
//! that comes out has a tar.
#![no_main]
use std::{cell::RefCell, fs};

use libfuzzer_sys::{arbitrary, arbitrary::Arbitrary, fuzz_target};
use plimsoll_build::{BuildRequest, Builder, Epoch, ImageResolver, ResolveError, ResolvedImage, Silent};
use plimsoll_fuzz::{
    archive::{Piece, archive},
    place::Place,
};
use plimsoll_image::{Reference, Store, manifest::Platform};
use plimsoll_source::Source;

#[derive(Arbitrary, Debug)]
enum Input {
    Raw(Vec<u8>),
    Members { first: Vec<Piece>, second: Vec<Piece>, whole: bool, form: u8 },
}

struct Nothing;

impl ImageResolver for Nothing {
    fn resolve(&self, name: &Reference, _: &Platform) -> Result<ResolvedImage, ResolveError> {
        Err(ResolveError { message: format!("no {name} here"), hint: None })
    }
}

thread_local! {
    static PLACE: RefCell<(Place, u32)> = RefCell::new((Place::new("add"), 0));
}

const DOCKERFILE: &str = "FROM scratch\nADD first /d/\nADD --chown=5:6 second /d/\n";

fuzz_target!(|input: Input| {
    let (first, second) = match &input {
        Input::Raw(bytes) => (bytes.clone(), bytes.clone()),
        Input::Members { first, second, whole, form } => {
            let tar = archive(first, *whole);
            let packed = if form % 4 == 0 {
                zstd::encode_all(tar.as_slice(), 1).expect("memory is enough")
            } else {
                tar
            };
            (packed, archive(second, true))
        }
    };
    PLACE.with_borrow_mut(|(place, runs)| {
        if *runs % 64 == 0 {
            for folder in ["store", "cache", "context"] {
                place.folder(folder);
            }
        }
        *runs += 1;
        let root = place.root();
        fs::write(root.join("context/first"), first).expect("a file");
        fs::write(root.join("context/second"), second).expect("a file");
        let store = Store::open(root.join("store")).expect("a store");
        let builder = Builder::new(&store, root.join("cache")).expect("a builder");
        let mut request =
            BuildRequest::new(root.join("context"), Source::new("Dockerfile", DOCKERFILE), None);
        request.epoch = Epoch::At(1_000_000_000);
        request.no_cache = true;
        if let Ok(outcome) = builder.build(&request, &Nothing, &Silent) {
            for layer in &outcome.record.layers {
                store.write_layer_tar(layer, std::io::sink()).expect("a built layer has a tar");
            }
        }
        place.check();
        assert_eq!(
            fs::read_dir(store.root().join("drafts")).expect("a folder").count(),
            0,
            "a draft was left behind"
        );
    });
});
