//! The command line of `docker buildx build`: words in, a request for the builder and what is to become of its image out.
//!
//! One builder of a request serves `image build`, `build` and `up`: [`request`] reads the options, [`prepared`] does it
//! for a service of a Compose file. Nothing here builds for a screen: notes go to the caller, line by line.

pub mod alias;
pub mod attest;
pub mod built_in;
pub mod cache;
pub mod call;
pub mod context;
pub mod flags;
pub mod mounts;
pub mod output;
mod outside;
pub mod prepared;
pub mod product;
pub mod proxy;
pub mod request;
pub mod sizes;
pub mod values;

pub use outside::Outside;
