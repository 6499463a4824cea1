//! The attributes of a service's `build:` as options of `image build`. Each one is honoured, noted or refused with its
//! line; none is dropped.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use plimsoll_compose::{Build, FileReference, Project, Service};
use plimsoll_source::Diagnostic;
use tempfile::TempPath;

/// A service's build in the words of the command line.
#[derive(Default)]
pub(super) struct Options {
    pub(super) words: Vec<String>,
    /// The Dockerfile's text, if the Compose file has it.
    pub(super) inline: Option<String>,
    /// Name of a context to the service whose image it is.
    pub(super) services: Vec<(String, String)>,
    /// What has no effect, once.
    pub(super) notes: Vec<String>,
    /// Values of secrets that only the project's variables have.
    pub(super) kept: Vec<TempPath>,
}

impl Options {
    fn push(&mut self, option: &str, value: impl std::fmt::Display) {
        self.words.push(format!("--{option}={value}"));
    }
}

/// Whose build it is, and where its attributes stand.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) project: &'a Project,
    pub(super) name: &'a str,
    pub(super) service: &'a Service,
}

impl Subject<'_> {
    /// An error at an attribute of `build:`.
    pub(super) fn error(&self, attribute: &str, what: impl std::fmt::Display) -> Diagnostic {
        let title = format!("service {}: {what}", self.name);
        match self.project.origin(&["services", self.name, "build", attribute]) {
            Some(origin) => origin.error(title),
            None => Diagnostic::error(title),
        }
    }

    /// The place of an attribute in words, for notes.
    fn note(&self, attribute: &str, what: &str) -> String {
        let place = self.project.origin(&["services", self.name, "build", attribute]);
        match place.and_then(|origin| origin.place()) {
            Some(place) => {
                let line = place.source.line_col(place.span.start).line;
                format!("{}: {what} ({}:{line})", self.name, place.source.name())
            }
            None => format!("{}: {what}", self.name),
        }
    }
}

/// Every attribute of `build:`. For `up` an image is for one platform, the one that it runs on.
pub(super) fn options(subject: Subject<'_>, one_platform: bool) -> Result<Options, Vec<Diagnostic>> {
    let Subject { project, service, .. } = subject;
    // a new attribute of the model has to be named here
    let Build {
        context,
        dockerfile,
        dockerfile_inline,
        entitlements,
        args,
        provenance,
        sbom,
        ssh,
        labels,
        cache_from,
        cache_to,
        no_cache,
        no_cache_filter,
        additional_contexts,
        pull,
        extra_hosts,
        isolation,
        network,
        target,
        secrets,
        shm_size,
        // the caller gives the names
        tags: _,
        ulimits,
        platforms: _,
        privileged,
        // nobody knows what they mean
        extensions: _,
    } = service.build.clone().unwrap_or_default();
    let mut options = Options::default();
    let mut faults = Vec::new();

    let here = project.working_dir.as_path();
    let context = context.unwrap_or_else(|| ".".to_owned());
    let context = if is_elsewhere(&context) { context } else { under(here, &context) };
    if let Some(text) = dockerfile_inline {
        options.inline = Some(text);
    } else {
        let file = dockerfile.unwrap_or_else(|| "Dockerfile".to_owned());
        let file =
            if is_elsewhere(&context) { file } else { Path::new(&context).join(file).display().to_string() };
        options.push("file", file);
    }
    if let Some(target) = target.filter(|target| !target.is_empty()) {
        options.push("target", target);
    }
    for (key, value) in args.0 {
        // one without a value that is not set here is left out, as the reference does
        if let Some(value) = value {
            options.push("build-arg", format!("{key}={value}"));
        }
    }
    for (key, value) in labels.0 {
        options.push("label", format!("{key}={value}"));
    }
    for (name, what) in additional_contexts.0 {
        match what.strip_prefix("service:") {
            Some(service) => options.services.push((name, service.to_owned())),
            None => options.push("build-context", format!("{name}={}", from_here(&what, here))),
        }
    }
    for (name, addresses) in extra_hosts.0 {
        for address in addresses {
            options.push("add-host", format!("{name}={address}"));
        }
    }
    for spec in ssh {
        options.push("ssh", spec);
    }
    for reference in &secrets {
        if let Err(fault) = secret(subject, reference, &mut options) {
            faults.push(fault);
        }
    }
    if no_cache {
        options.push("no-cache", "true");
    }
    for stage in no_cache_filter {
        options.push("no-cache-filter", stage);
    }
    if pull {
        options.push("pull", "true");
    }
    for spec in cache_from {
        options.push("cache-from", with_path(&spec, "src", here));
    }
    for spec in cache_to {
        if spec.contains("type=inline") {
            options
                .notes
                .push(subject.note("cache_to", "an inline cache is written with an image that is pushed"));
        }
        options.push("cache-to", with_path(&spec, "dest", here));
    }
    if let Some(size) = shm_size {
        options.push("shm-size", size.0);
    }
    for (name, limit) in ulimits {
        options.push("ulimit", format!("{name}={}:{}", limit.soft, limit.hard));
    }
    for (attribute, value) in [("provenance", provenance), ("sbom", sbom)] {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        if !matches!(value.as_str(), "false" | "0" | "f" | "F" | "FALSE" | "False") {
            let what =
                format!("build.{attribute} goes out with an image that is pushed or written to a file");
            options.notes.push(subject.note(attribute, &what));
        }
        options.push(attribute, value);
    }
    match network.as_deref() {
        None | Some("" | "default") => {}
        Some("none") => options.push("network", "none"),
        Some("host") => {
            options.push("network", "host");
            options.push("allow", "network.host");
        }
        Some(other) => faults.push(
            subject
                .error("network", format_args!("the steps of a build cannot join network `{other}`"))
                .hint("write `default`, `host` or `none`"),
        ),
    }
    if let Some(other) = isolation.filter(|kind| !kind.is_empty() && kind != "default") {
        let fault = subject.error("isolation", format_args!("isolation `{other}` exists only on Windows"));
        faults.push(fault.hint("leave it out, or write `default`"));
    }
    if privileged {
        faults.push(insecure(subject, "privileged"));
    }
    for entitlement in entitlements {
        match entitlement.as_str() {
            "network.host" => options.push("allow", entitlement),
            "security.insecure" => faults.push(insecure(subject, "entitlements")),
            other => faults.push(
                subject
                    .error("entitlements", format_args!("there is no privilege `{other}` for a build"))
                    .hint("write `network.host`, or leave it out"),
            ),
        }
    }
    match platforms(subject, one_platform) {
        Ok(platforms) => {
            for platform in platforms {
                options.push("platform", platform);
            }
        }
        Err(fault) => faults.push(fault),
    }
    // the context comes last, behind the options
    options.words.push("--".to_owned());
    options.words.push(context);
    if faults.is_empty() { Ok(options) } else { Err(faults) }
}

/// A file that lies in a repository does not give its steps the machine: a person does, on the command line.
fn insecure(subject: Subject<'_>, attribute: &str) -> Diagnostic {
    subject
        .error(
            attribute,
            "granting security.insecure is not allowed: a step would have all privileges of this machine",
        )
        .hint("leave it out, or build this image by hand: plimsoll image build --allow security.insecure")
}

/// What is built: `build.platforms`, else the service's platform, else `DOCKER_DEFAULT_PLATFORM`; for one platform the
/// one that the service runs on.
fn platforms(subject: Subject<'_>, one: bool) -> Result<Vec<String>, Diagnostic> {
    let Subject { project, name, service } = subject;
    let listed = service.build.as_ref().map(|build| build.platforms.clone()).unwrap_or_default();
    let default = project.environment.0.get("DOCKER_DEFAULT_PLATFORM").filter(|text| !text.is_empty());
    let runs = service.platform.as_ref().filter(|text| !text.is_empty()).or(default);
    let Some(runs) = runs else {
        // the machine's own is what an engine takes; another one only when it is the only one
        let many = one && listed.len() > 1;
        return Ok(if many || listed.is_empty() { vec!["local".to_owned()] } else { listed });
    };
    if !listed.is_empty() && !listed.contains(runs) {
        let what = if service.platform.is_some() { "its platform" } else { "DOCKER_DEFAULT_PLATFORM" };
        let fault = subject.error("platforms", format_args!("`build.platforms` lacks {what}, {runs}"));
        return Err(fault.hint(format!("add {runs}, or leave the platforms of {name} out")));
    }
    Ok(if one || listed.is_empty() { vec![runs.clone()] } else { listed })
}

fn secret(subject: Subject<'_>, reference: &FileReference, options: &mut Options) -> Result<(), Diagnostic> {
    let project = subject.project;
    let source = reference.source.as_deref().unwrap_or_default();
    let missing = || {
        subject
            .error(
                "secrets",
                format_args!("the build needs secret {source}, which the compose file does not give"),
            )
            .hint("give it under `secrets:` with `file:` or `environment:`")
    };
    if reference.uid.is_some() || reference.gid.is_some() || reference.mode.is_some() {
        options.notes.push(subject.note(
            "secrets",
            "uid, gid and mode of a build's secret have no effect: they stand at the mount in the Dockerfile",
        ));
    }
    let found = project.secrets.get(source).ok_or_else(missing)?;
    let id = reference.target.as_deref().filter(|target| !target.is_empty()).unwrap_or(source);
    let given = match (&found.file, &found.environment) {
        (Some(file), _) => format!("src={}", project.working_dir.join(file).display()),
        (None, Some(variable)) if std::env::var_os(variable).is_some() => format!("env={variable}"),
        (None, Some(variable)) => {
            let Some(value) = project.value_of("secrets", source, variable) else {
                return Err(subject
                    .error("secrets", format_args!("secret {source}: variable {variable} is not set"))
                    .hint("set it, or give the secret a `file:`"));
            };
            let path = private_copy(value).map_err(|error| {
                subject.error("secrets", format_args!("secret {source} cannot be kept: {error}"))
            })?;
            let given = format!("src={}", path.display());
            options.kept.push(path);
            given
        }
        (None, None) => return Err(missing()),
    };
    options.push("secret", format!("{},{}", field(&format!("id={id}")), field(&given)));
    Ok(())
}

/// A file that only this user can read, gone with the build.
fn private_copy(value: &str) -> std::io::Result<TempPath> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(value.as_bytes())?;
    Ok(file.into_temp_path())
}

/// A field of a line of CSV.
fn field(text: &str) -> String {
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// An address of something that is not a path.
fn is_elsewhere(context: &str) -> bool {
    context.contains("://")
        || context.starts_with("github.com/")
        || context.strip_prefix("git@").is_some_and(|rest| rest.contains(':'))
        || (context.contains('@') && context.contains(':') && fs::metadata(context).is_err())
}

/// A path from the project's folder, without `.` in it.
fn under(here: &Path, path: &str) -> String {
    here.join(path).components().collect::<PathBuf>().display().to_string()
}

/// Paths of named contexts start from the project's folder.
fn from_here(what: &str, here: &Path) -> String {
    match what.strip_prefix("oci-layout://") {
        Some(path) => format!("oci-layout://{}", under(here, path)),
        None if is_elsewhere(what) => what.to_owned(),
        None => under(here, what),
    }
}

/// `type=local,src=./cache` with its path from the project's folder.
fn with_path(spec: &str, key: &str, here: &Path) -> String {
    let fields = spec.split(',').map(|field| match field.split_once('=') {
        Some((name, path)) if name.trim() == key => format!("{key}={}", under(here, path)),
        _ => field.to_owned(),
    });
    fields.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
