//! A build of a Compose file's service, said in the options of `image build`: an attribute means there what its option
//! means here, and what the command line refuses is refused there too.

use std::{path::Path, sync::Arc};

use clap::Parser as _;
use plimsoll_build::{BuildError, BuildOutcome, BuildRequest, Builder, ImageResolver, Progress, StepSource};
use plimsoll_dockerfile::Platform;
use plimsoll_image::Store;
use plimsoll_source::Failure;

use crate::{
    Outside,
    attest::Attest,
    built_in::BuiltIn,
    cache::{self, Export},
    call::{Answer, Call},
    context::Contexts,
    flags::Args,
    request,
};

/// The options of `image build` alone.
#[derive(clap::Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A build that can begin: everything that it needs from elsewhere is here.
pub struct Prepared<'s> {
    /// What is to be built.
    pub request: BuildRequest,
    /// What it is built for, in order; none is this machine.
    pub platforms: Vec<Platform>,
    /// The registry is asked also for names that the store has.
    pub fresh: bool,
    exports: Vec<Export>,
    outside: &'static dyn Outside,
    /// Folders that were fetched or unpacked, until the end.
    _contexts: Contexts<'s>,
}

/// Reads the options, opens the contexts and reads the Dockerfile. `inline` is the Dockerfile's text instead of a file.
pub fn prepare<'s>(
    options: &[String],
    inline: Option<&str>,
    store: &'s Store,
    home: &Path,
    outside: &'static dyn Outside,
    tell: &dyn Fn(&str),
) -> Result<Prepared<'s>, Failure> {
    let mut args = Line::try_parse_from(options).map_err(|error| wrong(&error))?.args;
    args.inline = inline.map(str::to_owned);
    let build_args = request::build_args(&args)?;
    let built_in = BuiltIn::read(&build_args)?;
    let mut exports = args.cache_to.iter().map(|spec| Export::parse(spec)).collect::<Result<Vec<_>, _>>()?;
    if built_in.inline_cache && !exports.iter().any(Export::is_inline) {
        exports.push(Export::parse("type=inline")?);
    }
    let stated = [args.attest.as_slice(), &built_in.attest].concat();
    let (_, notes) = Attest::parse(args.provenance.as_deref(), args.sbom.as_deref(), &stated)?;
    for note in notes.iter().chain(&built_in.notes) {
        tell(note);
    }
    let platforms = request::platforms(&args.platforms)?;
    built_in.several(platforms.len())?;
    let (mut request, contexts) = request::request(&args, store, home, &platforms, build_args, &built_in)?;
    request.platform = platforms.first().cloned();
    for spec in &args.cache_from {
        let imported: Option<Arc<dyn StepSource>> = cache::import(spec, outside, tell)?;
        request.imports.extend(imported);
    }
    Ok(Prepared { request, platforms, fresh: args.pull, exports, outside, _contexts: contexts })
}

/// What the reader of options says, without its advice about the command line.
fn wrong(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    Failure::new(line.to_owned(), "correct the value in the compose file")
}

impl Prepared<'_> {
    /// The build checks, as `image build --check` prints them.
    pub fn check(&self, store: &Store) -> Result<Answer, Failure> {
        Call::parse("check", false)?.run(&self.request, store)
    }

    /// Builds for each platform; the result has its names. The first outcome is of what a name means here.
    pub fn build(
        &self,
        builder: &Builder,
        request: &BuildRequest,
        store: &Store,
        images: &dyn ImageResolver,
        sink: &dyn Progress,
    ) -> Result<Vec<BuildOutcome>, PreparedError> {
        let mut outcomes = request::build_all(builder, request, &self.platforms, images, sink)?;
        request::name_all(store, &outcomes, &request.tags, request.origin.as_ref())
            .map_err(PreparedError::After)?;
        let host = request::host_platform();
        outcomes.sort_by_key(|outcome| outcome.platform != host);
        Ok(outcomes)
    }

    /// Writes the caches that were asked for.
    pub fn export(
        &self,
        store: &Store,
        outcomes: &[BuildOutcome],
        tell: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        let keys: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.keys.clone()).collect();
        self.exports.iter().try_for_each(|export| export.write(store, &keys, self.outside, tell))
    }
}

/// Why a prepared build gave nothing.
pub enum PreparedError {
    /// It failed.
    Build(BuildError),
    /// It was built, and then something else failed.
    After(Failure),
}

impl From<BuildError> for PreparedError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}
