//! A build of a Compose file's service, said in the options of `image build`: an attribute means there what its option
//! means here, and what the command line refuses is refused there too.

use std::{path::Path, sync::Arc};

use clap::Parser as _;
use plimsoll_build::{BuildError, BuildOutcome, BuildRequest, Builder, ImageResolver, Progress, StepSource};
use plimsoll_dockerfile::Platform;
use plimsoll_image::Store;
use plimsoll_ops::Failure;

use super::{
    attest::Attest,
    build::{self, Args},
    built_in::BuiltIn,
    cache::{self, Export},
    call::Call,
    context::Contexts,
};

/// The options of `image build` alone.
#[derive(clap::Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A build that can begin: everything that it needs from elsewhere is here.
pub(crate) struct Prepared<'s> {
    pub(crate) request: BuildRequest,
    /// What it is built for, in order; none is this machine.
    pub(crate) platforms: Vec<Platform>,
    /// The registry is asked also for names that the store has.
    pub(crate) fresh: bool,
    exports: Vec<Export>,
    /// Folders that were fetched or unpacked, until the end.
    _contexts: Contexts<'s>,
}

/// Reads the options, opens the contexts and reads the Dockerfile. `inline` is the Dockerfile's text instead of a file.
pub(crate) fn prepare<'s>(
    options: &[String],
    inline: Option<&str>,
    store: &'s Store,
    home: &Path,
    tell: &dyn Fn(&str),
) -> Result<Prepared<'s>, Failure> {
    let mut args = Line::try_parse_from(options).map_err(|error| wrong(&error))?.args;
    args.inline = inline.map(str::to_owned);
    let build_args = build::build_args(&args)?;
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
    let platforms = build::platforms(&args.platforms)?;
    built_in.several(platforms.len())?;
    let (mut request, contexts) = build::request(&args, store, home, &platforms, build_args, &built_in)?;
    request.platform = platforms.first().cloned();
    for spec in &args.cache_from {
        let imported: Option<Arc<dyn StepSource>> = cache::import(spec, tell)?;
        request.imports.extend(imported);
    }
    Ok(Prepared { request, platforms, fresh: args.pull, exports, _contexts: contexts })
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
    pub(crate) fn check(&self, store: &Store) -> Result<std::process::ExitCode, Failure> {
        Call::parse("check", false)?.run(&self.request, store)
    }

    /// Builds for each platform; the result has its names. The first outcome is of what a name means here.
    pub(crate) fn build(
        &self,
        builder: &Builder,
        request: &BuildRequest,
        store: &Store,
        images: &dyn ImageResolver,
        sink: &dyn Progress,
    ) -> Result<Vec<BuildOutcome>, PreparedError> {
        let mut outcomes = build::build_all(builder, request, &self.platforms, images, sink)?;
        build::name_all(store, &outcomes, &request.tags, request.origin.as_ref())
            .map_err(PreparedError::After)?;
        let host = build::host_platform();
        outcomes.sort_by_key(|outcome| outcome.platform != host);
        Ok(outcomes)
    }

    /// Writes the caches that were asked for.
    pub(crate) fn export(
        &self,
        store: &Store,
        outcomes: &[BuildOutcome],
        tell: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        let keys: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.keys.clone()).collect();
        self.exports.iter().try_for_each(|export| export.write(store, &keys, tell))
    }
}

/// Why a prepared build gave nothing.
pub(crate) enum PreparedError {
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
