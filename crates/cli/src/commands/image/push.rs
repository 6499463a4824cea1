//! `plimsoll image push`: sends an image to a registry.

use std::process::ExitCode;

use plimsoll_image::{
    ImageRecord, LayerCompression, Reference, Store,
    bundle::{Bundle, Form, Member},
};
use plimsoll_ops::{Failure, sizes::megabytes};

use super::{save::compression, store};

/// Send an image to a registry, with Docker's credentials. Blobs that are there do not travel
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name or id in the store
    image: String,
    /// Name in the registry [default: the same name]
    destination: Option<String>,
    /// Layers: keep, none, gzip[:LEVEL], zstd[:LEVEL]
    #[arg(long, value_name = "FORM", default_value = "keep", value_parser = compression)]
    compression: LayerCompression,
    /// Speak plain HTTP with the registry; this machine's own needs no permission
    #[arg(long)]
    insecure: bool,
    /// Only the image for this platform, like linux/arm64 [default: all that the name has]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let images = images(&store, &args)?;
    let name = store::reference(args.destination.as_deref().unwrap_or(&args.image))?;
    let registry = store::registry(&name, args.insecure)?;
    let members: Vec<Member> = images.into_iter().map(Member::plain).collect();
    let names = std::slice::from_ref(&name);
    let bundle = Bundle::new(&store, &members, names, &Form::all(args.compression))?;
    let pushed = registry.push_bundle(&store, &bundle, &name, &store::tell)?;
    eprintln!(
        "{} sent, {} there already, {}",
        pushed.sent,
        pushed.known + pushed.mounted,
        megabytes(pushed.bytes)
    );
    store::print(&format!("{}@{}\n", name.familiar_name(), pushed.digest))?;
    Ok(ExitCode::SUCCESS)
}

/// Sends the image that the store has under `name` to its registry; gives its address with the digest. `None` if the
/// store has no such image.
pub(crate) fn send(store: &Store, name: &Reference) -> Result<Option<String>, Failure> {
    let images = store.images_of(name)?;
    if images.is_empty() {
        return Ok(None);
    }
    let registry = store::registry(name, false)?;
    let members: Vec<Member> = images.into_iter().map(Member::plain).collect();
    let names = std::slice::from_ref(name);
    let bundle = Bundle::new(store, &members, names, &Form::all(LayerCompression::Keep))?;
    let pushed = registry.push_bundle(store, &bundle, name, &|_| {})?;
    Ok(Some(format!("{}@{}", name.familiar_name(), pushed.digest)))
}

/// What a name stands for: an image for each platform, or the one that was asked for. An id is one image.
fn images(store: &Store, args: &Args) -> Result<Vec<ImageRecord>, Failure> {
    let found = store::find(store, &args.image)?;
    let named = Reference::parse(&args.image).ok().filter(|name| found.references.contains(name));
    let all = match &named {
        Some(name) => store.images_of(name)?,
        None => vec![found],
    };
    let Some(text) = &args.platform else { return Ok(all) };
    let wanted = store::platform(Some(text))?;
    let fits = |image: &ImageRecord| wanted.accepts(&plimsoll_buildx::product::platform(image));
    let chosen: Vec<ImageRecord> = all.into_iter().filter(fits).collect();
    if chosen.is_empty() {
        let hint = "leave --platform out, or build the image for it";
        return Err(Failure::new(format!("`{}` has no image for {wanted}", args.image), hint));
    }
    Ok(chosen)
}
