//! `plimsoll image build`: takes what `docker buildx build` takes.

use std::{collections::BTreeSet, process::ExitCode, sync::Arc};

use plimsoll_build::Builder;
use plimsoll_buildx::{
    attest::Attest,
    built_in::{self, BuiltIn},
    cache::{self, Export},
    call::{Call, Checks, Method},
    flags::ProgressMode,
    mounts::MountSource,
    output::{self, Output},
    product::{self, Product},
    request::{build_all, build_args, host_platform, name_all, platforms, request},
    values,
};
use plimsoll_dockerfile::check_frontend;
use plimsoll_image::{
    Reference,
    bundle::{Annotated, Annotation, Member},
};
use plimsoll_ops::{
    Failure,
    home::{home, open_store},
    images::Images,
    interrupt, policy, storage,
};

pub(crate) use plimsoll_buildx::flags::Args;

use super::{answer, progress, rawjson::RawJson, shell, task::Task, write::Writer};
use crate::render;

/// Settles what standard error is, before the first line is said.
pub(super) fn begin(args: &Args) {
    if args.progress == ProgressMode::RawJson && !args.quiet {
        RawJson::begin();
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let home = home()?;
    let store = open_store(&home)?;
    let outputs = outputs(&args)?;
    let build_args = build_args(&args)?;
    let built_in = BuiltIn::read(&build_args)?;
    let mut exports = args.cache_to.iter().map(|spec| Export::parse(spec)).collect::<Result<Vec<_>, _>>()?;
    if built_in.inline_cache && !exports.iter().any(Export::is_inline) {
        exports.push(Export::parse("type=inline")?);
    }
    let mounts_from = places(&args.cache_mounts_from)?;
    let mounts_to = places(&args.cache_mounts_to)?;
    let mut annotations = Vec::new();
    for spec in &args.annotations {
        annotations.extend(values::annotation(spec)?);
    }
    let stated = [args.attest.as_slice(), &built_in.attest].concat();
    let (attest, mut notes) = Attest::parse(args.provenance.as_deref(), args.sbom.as_deref(), &stated)?;
    notes.extend(built_in.notes.iter().cloned());
    notes.extend(built_in::variables(args.metadata_file.is_some()));
    notes.extend(args.foreign.notes()?);
    let call = Call::parse(&args.call, args.check)?;
    let on_failure =
        args.on_failure.as_deref().map(|spec| shell::OnFailureShell::parse(spec, &args)).transpose()?;
    let platforms = platforms(&args.platforms)?;
    let several = built_in.several(platforms.len())?;
    // What was fetched for the contexts stays until the end.
    let (mut request, _contexts) = request(&args, &store, &home, &platforms, build_args, &built_in)?;
    request.platform = platforms.first().cloned();
    for note in check_frontend(&request.dockerfile, request.syntax())? {
        notes.push(format!("note: {}", note.title));
    }
    if call.method != Method::Build {
        return answer::show(&call.run(&request, &store)?);
    }
    let on_index = |one: &Annotation| matches!(one.on, Annotated::Index | Annotated::IndexDescriptor);
    if !several && attest.is_nothing() && annotations.iter().any(on_index) {
        return Err(Failure::new(
            "an image for one platform without attestations has no index that could be annotated",
            "annotate its manifest: --annotation manifest:NAME=VALUE",
        ));
    }
    for output in &outputs {
        output.check(&request.tags, platforms.len())?;
    }
    if outputs.iter().filter(|output| output.is_stdout()).count() > 1 {
        return Err(Failure::new(
            "two outputs want standard output",
            "give all but one of them a file with dest=",
        ));
    }
    let granted = args.allow.iter().any(|grant| grant == "buildx.local.delete");
    let mut targets = Vec::new();
    for output in &outputs {
        output.check_delete(granted)?;
        notes.extend(output.notes.iter().cloned());
        targets.extend(output.target());
    }
    targets.extend(args.iidfile.iter().chain(&args.metadata_file).map(|path| output::same_name(path)));
    let mut seen = BTreeSet::new();
    if let Some(twice) = targets.iter().find(|target| !seen.insert(*target)) {
        return Err(Failure::new(
            format!("two outputs want to write {}", twice.display()),
            "give each a path of its own",
        ));
    }
    let names = request.tags.clone();
    request.tags.extend(outputs.iter().flat_map(|output| output.names.clone()));
    let root = policy::Root::find()?;
    let budget = storage::Budget::find(&root.policy)?;
    let mode = if args.quiet { ProgressMode::Quiet } else { args.progress };
    let progress = progress::make(mode, args.explain);
    let tell = |line: &str| progress.tell(line);
    for note in &notes {
        tell(note);
    }
    for spec in &args.cache_from {
        request.imports.extend(cache::import(spec, &plimsoll_ops::images::Surroundings, &tell)?);
    }
    let mut images = Images::new(&store, &home, &root.policy, &progress);
    images.fresh = args.pull;
    images.folder = plimsoll_ops::images::project_folder(&request.context);
    let builder = Builder::new(&store, home.join("build"))?;
    let native = request.platform.as_ref().is_none_or(|platform| *platform == host_platform());
    let base = |name: &Reference| {
        // what is for another platform is not fetched for the sake of a check
        let found = if native { images.find(name).ok() } else { images.stored(name).ok().flatten() };
        found.map(|found| found.record.config)
    };
    let checks = Checks::of_build(&request, &base);
    if let Some(error) = checks.violation() {
        if mode == ProgressMode::RawJson {
            RawJson::warn(checks.source(), &checks.listed());
        } else {
            eprint!("{}", plimsoll_source::printable_output(&checks.text()));
        }
        render::error(&error);
        return Ok(ExitCode::from(1));
    }
    let cache_mounts = builder.cache_mounts();
    let ids = if mounts_from.iter().chain(&mounts_to).any(MountSource::asks_the_build) {
        builder.cache_mount_ids(&request, &images)?
    } else {
        BTreeSet::new()
    };
    for place in &mounts_from {
        place.read(&cache_mounts, &ids, &tell);
    }
    request.cancel = interrupt::cancel_on_interrupt();
    request.on_failure = on_failure.map(|shell| Arc::new(shell) as _);
    let outcomes = build_all(&builder, &request, &platforms, &images, progress.sink());
    interrupt::end_at_once();
    if interrupt::is_interrupted() {
        return Err(interrupt::error());
    }
    let outcomes = outcomes?;
    progress.finish(&outcomes);
    name_all(&store, &outcomes, &request.tags, None)?;

    let mut members = Vec::new();
    for outcome in &outcomes {
        let statements = attest.statements(&store, &request, &args.no_cache_filter, outcome)?;
        members.push(Member { record: outcome.record.clone(), statements });
        if exports.iter().any(Export::is_inline) {
            annotations.push(Annotation {
                on: Annotated::Manifest,
                platform: Some(product::platform(&outcome.record)),
                name: cache::ANNOTATION.to_owned(),
                value: cache::inline(&store, &outcome.record, &outcome.keys)?,
            });
        }
    }
    let product = Product { members, names, annotations, several, attest };
    let mut written = Vec::new();
    for output in &outputs {
        let task = (mode == ProgressMode::RawJson && output.goes_out())
            .then(|| Task::begin(&format!("exporting to {}", output.place())));
        let done = Writer(output).write(&store, &product, task.as_ref());
        if let Some(task) = task {
            let why = done.as_ref().err().and_then(|error| error.diagnostics.first());
            task.end(why.map(|why| why.title.as_str()));
        }
        written.push(done?);
    }
    for place in &mounts_to {
        place.write(&cache_mounts, &ids, &tell)?;
    }
    let keys: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.keys.clone()).collect();
    for export in &exports {
        export.write(&store, &keys, &plimsoll_ops::images::Surroundings, &tell)?;
    }
    let wants_id = args.iidfile.is_some() || args.metadata_file.is_some();
    if written.is_empty() && (wants_id || outcomes.len() == 1) {
        written.push(Writer(&Output::store()).write(&store, &product, None)?);
    }
    let id = product::image_id(&product, &written);
    if let Some(file) = &args.iidfile {
        output::write_file(file, id.to_string().as_bytes())?;
    }
    if let Some(file) = &args.metadata_file {
        product::write_metadata(file, &outcomes, &written)?;
    }
    match mode {
        ProgressMode::Quiet => {}
        ProgressMode::RawJson => RawJson::warn(checks.source(), &checks.listed()),
        _ => eprint!("{}", checks.warnings()),
    }
    let ran = outcomes.iter().flat_map(|outcome| &outcome.steps).any(|step| step.ran.is_some());
    if let Some(budget) = budget.filter(|_| ran) {
        let built: Vec<_> = outcomes.iter().map(|outcome| outcome.record.id).collect();
        storage::hold(budget, &home, &store, &builder, &built, &progress);
    }
    if outputs.iter().all(|output| !output.is_stdout()) {
        println!("{id}");
    }
    Ok(ExitCode::SUCCESS)
}

fn places(specs: &[String]) -> Result<Vec<MountSource>, Failure> {
    specs.iter().map(|spec| MountSource::parse(spec)).collect()
}

/// `--output`, `--push` and `--load`.
fn outputs(args: &Args) -> Result<Vec<Output>, Failure> {
    let mut outputs = args.outputs.iter().map(|spec| Output::parse(spec)).collect::<Result<Vec<_>, _>>()?;
    if args.push && !outputs.iter().any(|output| output.push) {
        outputs.push(Output::registry());
    }
    if args.load && !outputs.iter().any(Output::is_engine) {
        outputs.push(Output::engine());
    }
    Ok(outputs)
}
