//! What is known about software outside: what an image runs, and what a stack has to know to run it well.
//!
//! Knowledge is data: one file of [`images`] per software, each fact with its source and the day of that source. A fact
//! that is not certain is left out: `None` means "not known", never "no". Nothing here is read from anywhere.

mod fact;
pub mod images;
mod lookup;
mod name;
mod setting;
mod software;
mod store;
mod tag;
mod version;

pub use fact::{Fact, Source};
pub use lookup::{
    Match, NewDataPassword, named, new_data_passwords, of_image, speaks_no_http, store_of_image,
    store_of_port, store_of_process, store_of_scheme,
};
pub use name::ImageName;
pub use setting::{Amount, Setting};
pub use software::{
    Contents, DataFolder, Dump, Entrypoint, FileVariables, Image, Port, Release, Role, Software, User,
    Variant,
};
pub use store::StoreKind;
pub use tag::{Distribution, Tag};
pub use version::Version;
