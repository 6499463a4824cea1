//! Interpolation of a whole tree, with the casts to numbers and booleans where the specification wants them.

use indexmap::IndexMap;
use plimsoll_source::Diagnostic;

use crate::{
    cast,
    interpolate::{SubstituteError, substitute},
    path::Path,
    value::{Kind, Value},
};

/// After so many variables without a value no one reads on.
const MAX_WARNINGS: usize = 100;

/// What the texts with variables of one project may take in all, in bytes.
const MAX_TOTAL: usize = 16 << 20;

#[derive(Clone, Copy)]
enum Cast {
    Int,
    Float,
    Bool,
}

/// Attributes whose text is read as something else, so that `${REPLICAS}` can be a number.
const CASTS: &[(&str, Cast)] = &[
    ("services.*.attach", Cast::Bool),
    ("services.*.build.no_cache", Cast::Bool),
    ("services.*.build.privileged", Cast::Bool),
    ("services.*.build.pull", Cast::Bool),
    ("services.*.build.ulimits.*", Cast::Int),
    ("services.*.build.ulimits.*.hard", Cast::Int),
    ("services.*.build.ulimits.*.soft", Cast::Int),
    ("services.*.cpu_count", Cast::Int),
    ("services.*.cpu_percent", Cast::Float),
    ("services.*.cpu_period", Cast::Int),
    ("services.*.cpu_quota", Cast::Int),
    ("services.*.cpu_rt_period", Cast::Int),
    ("services.*.cpu_rt_runtime", Cast::Int),
    ("services.*.cpu_shares", Cast::Int),
    ("services.*.cpus", Cast::Float),
    ("services.*.depends_on.*.required", Cast::Bool),
    ("services.*.depends_on.*.restart", Cast::Bool),
    ("services.*.deploy.placement.max_replicas_per_node", Cast::Int),
    ("services.*.deploy.replicas", Cast::Int),
    ("services.*.deploy.resources.limits.cpus", Cast::Float),
    ("services.*.deploy.resources.limits.pids", Cast::Int),
    ("services.*.deploy.resources.reservations.cpus", Cast::Float),
    ("services.*.deploy.restart_policy.max_attempts", Cast::Int),
    ("services.*.deploy.rollback_config.max_failure_ratio", Cast::Float),
    ("services.*.deploy.rollback_config.parallelism", Cast::Int),
    ("services.*.deploy.update_config.max_failure_ratio", Cast::Float),
    ("services.*.deploy.update_config.parallelism", Cast::Int),
    ("services.*.env_file.*.required", Cast::Bool),
    ("services.*.healthcheck.disable", Cast::Bool),
    ("services.*.healthcheck.retries", Cast::Int),
    ("services.*.init", Cast::Bool),
    ("services.*.networks.*.gw_priority", Cast::Int),
    ("services.*.networks.*.priority", Cast::Int),
    ("services.*.oom_kill_disable", Cast::Bool),
    ("services.*.oom_score_adj", Cast::Int),
    ("services.*.pids_limit", Cast::Int),
    ("services.*.ports.*.target", Cast::Int),
    ("services.*.privileged", Cast::Bool),
    ("services.*.read_only", Cast::Bool),
    ("services.*.scale", Cast::Int),
    ("services.*.stdin_open", Cast::Bool),
    ("services.*.tty", Cast::Bool),
    ("services.*.ulimits.*", Cast::Int),
    ("services.*.ulimits.*.hard", Cast::Int),
    ("services.*.ulimits.*.soft", Cast::Int),
    ("services.*.use_api_socket", Cast::Bool),
    ("services.*.volumes.*.bind.create_host_path", Cast::Bool),
    ("services.*.volumes.*.read_only", Cast::Bool),
    ("services.*.volumes.*.volume.nocopy", Cast::Bool),
    ("networks.*.attachable", Cast::Bool),
    ("networks.*.enable_ipv4", Cast::Bool),
    ("networks.*.enable_ipv6", Cast::Bool),
    ("networks.*.external", Cast::Bool),
    ("networks.*.internal", Cast::Bool),
    ("volumes.*.external", Cast::Bool),
    ("secrets.*.external", Cast::Bool),
    ("configs.*.external", Cast::Bool),
];

/// What the interpolation of all files of a project gathers.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Variables that have no value.
    pub(crate) warnings: Vec<Diagnostic>,
    /// Bytes of all texts that had variables.
    bytes: usize,
    /// The first place that demands a variable without a value, and the names of all such variables.
    missing: Option<(Diagnostic, Vec<String>)>,
}

/// Replaces the variables in all values of `tree`, never in keys.
pub(crate) fn tree(
    tree: &mut Value,
    env: &IndexMap<String, String>,
    gathered: &mut Gathered,
) -> Result<(), Diagnostic> {
    walk(tree, env, &Path::ROOT, gathered)?;
    // All at once: whoever learns of one at a time runs the command once for each.
    match gathered.missing.take() {
        None => Ok(()),
        Some((first, names)) => {
            Err(first.hint(format!("set {} in the environment or in the .env file", names.join(", "))))
        }
    }
}

fn walk(
    value: &mut Value,
    env: &IndexMap<String, String>,
    path: &Path<'_>,
    gathered: &mut Gathered,
) -> Result<(), Diagnostic> {
    match &mut value.kind {
        Kind::Map(map) => {
            map.iter_mut().try_for_each(|(key, value)| walk(value, env, &path.key(key), gathered))
        }
        Kind::List(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(at, value)| walk(value, env, &path.item(at), gathered)),
        Kind::String(text) => {
            let replaced = if text.contains('$') {
                let mut unset = Vec::new();
                let replaced = substitute(text, &|name| env.get(name).map(String::as_str), &mut |name| {
                    unset.push(name.to_owned());
                })
                .or_else(|error| match error {
                    SubstituteError::Required { ref name, .. } => {
                        let first = || (failure(&value.origin, path, &error), Vec::new());
                        let (_, names) = gathered.missing.get_or_insert_with(first);
                        if !names.contains(name) && names.len() < MAX_WARNINGS {
                            names.push(name.clone());
                        }
                        Ok(String::new())
                    }
                    error => Err(failure(&value.origin, path, &error)),
                })?;
                gathered.bytes += replaced.len();
                if gathered.bytes > MAX_TOTAL {
                    let told = format!("variables make the project's texts longer than {MAX_TOTAL} bytes");
                    return Err(value.origin.label(Diagnostic::error(told), "the last one"));
                }
                let warnings = &mut gathered.warnings;
                for name in unset.into_iter().take(MAX_WARNINGS.saturating_sub(warnings.len())) {
                    warnings.push(value.origin.label(
                        Diagnostic::warning(format!("variable `{name}` is not set; it counts as empty")),
                        "used here",
                    ));
                }
                replaced
            } else {
                text.clone()
            };
            let cast = path.find(CASTS).copied().filter(|_| !replaced.is_empty());
            value.kind = match cast {
                None => Kind::String(replaced),
                Some(cast) => run(cast, &replaced).ok_or_else(|| {
                    value.origin.error(format!("`{path}` must be {}, but is `{replaced}`", expected(cast)))
                })?,
            };
            Ok(())
        }
        _ => Ok(()),
    }
}

fn failure(origin: &crate::value::Origin, path: &Path<'_>, error: &SubstituteError) -> Diagnostic {
    let diagnostic = origin.error(format!("in `{path}`: {error}"));
    match error {
        SubstituteError::Invalid(_) => diagnostic.hint("write `$$` for a dollar sign"),
        SubstituteError::Required { .. } | SubstituteError::TooDeep | SubstituteError::TooLong => diagnostic,
    }
}

fn run(cast: Cast, text: &str) -> Option<Kind> {
    match cast {
        Cast::Int => cast::integer(text).map(Kind::Int),
        Cast::Float => text.parse().ok().map(Kind::Float),
        Cast::Bool => cast::boolean(text).map(Kind::Bool),
    }
}

fn expected(cast: Cast) -> &'static str {
    match cast {
        Cast::Int => "a whole number",
        Cast::Float => "a number",
        Cast::Bool => "a boolean",
    }
}
