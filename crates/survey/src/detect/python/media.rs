//! Files that visitors upload to a site of Django: the folder that `MEDIA_ROOT` is, and who hands them out.

use super::{
    django::{Site, setting},
    environment::{Read, whole_literal},
    paths, sqlite,
};
use crate::{
    model::{Evidence, Fact, Gap, Service, Writes},
    python::Module,
    rules,
};

const MAX_TOKENS: usize = 60;

/// Makes the folder a volume, or says that it is not known; says where nobody hands the files out.
pub(super) fn add(
    of: &sqlite::Of<'_>,
    site: &Site,
    reads: &[Read],
    service: &mut Service,
    gaps: &mut Vec<Gap>,
) {
    let Some((module, at)) = setting(site, "MEDIA_ROOT") else { return };
    let end = module.line_end(at).min(at + MAX_TOKENS);
    // `MEDIA_ROOT = ""` keeps nothing.
    if module.string(at).is_some_and(|text| text.is_empty()) {
        return;
    }
    let value = default_of_read(module, (at, end)).unwrap_or((at, end));
    let path = paths::value(of.project, &site.modules, module, value);
    let path = path.and_then(|path| sqlite::in_image(of, service, &path));
    let path = path.or_else(|| below_unknown(site, module, value));
    let evidence = Evidence::new(&module.source, module.span(at - 2, end - 1), "uploads are kept here");
    let named = reads.iter().find(|read| {
        read.evidence.file == module.source.name()
            && read.evidence.start >= evidence.start
            && read.evidence.start < module.tokens[end - 1].span.end
    });
    let fits = |path: &String| {
        !path.is_empty()
            && !path.contains("..")
            && path.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c))
            && !path.trim_start_matches('/').is_empty()
            && !path.starts_with("/tmp")
    };
    if let Some(path) = path.filter(fits) {
        let path = path.trim_end_matches('/').to_owned();
        service.writes.push(Writes { path: Fact::new(path, evidence.clone()), keep: true });
        handed_out(of, site, service, &evidence, gaps);
        return;
    }
    let hint = match named {
        Some(read) => {
            format!("set {} to a folder of its own below the program's, and mount a volume there", read.name)
        }
        None => "write it as a path below the program's folder: BASE_DIR / \"media\"".to_owned(),
    };
    gaps.push(Gap { rule: rules::DATA_NOT_KEPT,
        subject: service.name.clone(),
        message: "where uploads are kept is not known: MEDIA_ROOT is no path that can be read here, and no volume keeps them"
            .to_owned(),
        hint,
        evidence: vec![evidence],
    });
}

/// `BASE_DIR / "media"` with a name that no module of the settings gives a value: it is taken for the program's folder.
fn below_unknown(site: &Site, module: &Module, (at, end): (usize, usize)) -> Option<String> {
    let given = site.modules.iter().any(|other| other.lines().any(|line| other.is(line, module.text(at))));
    let whole = end == at + 3 && module.is_word(at) && module.is(at + 1, "/");
    module.string(at + 2).filter(|_| whole && !given)
}

/// `os.getenv("MEDIA_ROOT", DEFAULT)`, `env.str("MEDIA_ROOT", default=DEFAULT)`: the tokens of the default, which counts
/// as long as nobody sets the variable.
fn default_of_read(module: &Module, (at, end): (usize, usize)) -> Option<(usize, usize)> {
    let (name, open) = module.resolved(at)?;
    let close = module.close(open).filter(|_| module.is(open, "("))?;
    let last = name.rsplit('.').next().unwrap_or(&name);
    let reads = matches!(name.as_str(), "os.getenv" | "os.environ.get")
        || matches!(last, "env" | "str" | "path" | "config" | "getenv") && close + 1 == end;
    let arguments = module.arguments(open);
    let first = arguments.first()?;
    // A name in capitals: `str(BASE_DIR)` reads nothing.
    let variable = whole_literal(module, first.at, first.end)?;
    let capitals = variable.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let default =
        arguments.iter().find(|argument| argument.name == Some("default")).or_else(|| arguments.get(1))?;
    (reads && capitals).then_some((default.at, default.end))
}

/// Files that nobody hands out: Django does it where it debugs, and no server of its own does.
fn handed_out(of: &sqlite::Of<'_>, site: &Site, service: &Service, evidence: &Evidence, gaps: &mut Vec<Gap>) {
    // Files in a bucket are handed out by its maker.
    if of.project.needs(&["django-storages", "django-cloudinary-storage"]).is_some() {
        return;
    }
    // `re_path(r"^media/…", serve)`, and views of its own that read them.
    let served = of.project.modules.iter().any(|module| {
        let sends = module
            .imports
            .values()
            .any(|import| matches!(import.name.as_deref(), Some("FileResponse" | "sendfile")));
        let serves = module.imports.values().any(|import| import.module == "django.views.static");
        let names = (0..module.tokens.len())
            .any(|at| module.is(at, "MEDIA_ROOT") && module.is(at + 1, ",") || module.is(at, "MEDIA_URL"));
        sends || serves && names
    });
    if served {
        return;
    }
    let url = setting(site, "MEDIA_URL").and_then(|(module, at)| module.string(at));
    let url = url.filter(|url| !url.is_empty()).unwrap_or_else(|| "MEDIA_URL".to_owned());
    if url.contains("://") {
        return;
    }
    gaps.push(Gap {
        rule: rules::FILES_NOT_SERVED,
        subject: service.name.clone(),
        message: format!(
            "uploads are kept, and nobody hands them out: Django serves {url} only where it debugs"
        ),
        hint: "serve them by a view of the program (django.views.static.serve), or keep them in a bucket"
            .to_owned(),
        evidence: vec![evidence.clone()],
    });
}
