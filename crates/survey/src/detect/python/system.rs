//! What packages need of the system: compilers when they are installed, libraries and programs when they run.

use std::rc::Rc;

use super::{install::Locked, project::Project, requirement::Requirement};
use crate::{
    model::{Evidence, Fact},
    python::Module,
};

/// Packages that have no wheels for Linux: they are compiled.
const COMPILED: [&str; 13] = [
    "psycopg2",
    "mysqlclient",
    "pycairo",
    "psycopg-c",
    "python-ldap",
    "uwsgi",
    "xmlsec",
    "pygraphviz",
    "pyaudio",
    "dlib",
    "gdal",
    "pycurl",
    "pycups",
];

/// Packages that load a library or call a program which their files do not name.
const LOADS: [(&str, &[&str], &str); 16] = [
    ("python-magic", &["libmagic1"], "loads libmagic when it runs"),
    (
        "weasyprint",
        &["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"],
        "loads Pango when it runs",
    ),
    ("cairosvg", &["libcairo2"], "loads Cairo when it runs"),
    ("cairocffi", &["libcairo2"], "loads Cairo when it runs"),
    ("pyzbar", &["libzbar0"], "loads ZBar when it runs"),
    ("pydub", &["ffmpeg"], "calls ffmpeg"),
    ("ffmpeg-python", &["ffmpeg"], "calls ffmpeg"),
    ("moviepy", &["ffmpeg"], "calls ffmpeg"),
    ("pdf2image", &["poppler-utils"], "calls pdftoppm"),
    ("pytesseract", &["tesseract-ocr"], "calls tesseract"),
    ("gitpython", &["git"], "calls git"),
    ("graphviz", &["graphviz"], "calls dot"),
    ("pdfkit", &["wkhtmltopdf"], "calls wkhtmltopdf"),
    ("pypandoc", &["pandoc"], "calls pandoc"),
    ("opencv-python", &["libgl1", "libglib2.0-0"], "loads OpenGL when it is imported"),
    ("soundfile", &["libsndfile1"], "loads libsndfile when it runs"),
];

/// Programs, with the Debian package that brings each.
const PROGRAMS: [(&str, &str); 13] = [
    ("pg_isready", "postgresql-client"),
    ("pg_dump", "postgresql-client"),
    ("pg_restore", "postgresql-client"),
    ("psql", "postgresql-client"),
    ("mysqldump", "mariadb-client"),
    ("ffmpeg", "ffmpeg"),
    ("ffprobe", "ffmpeg"),
    ("pdftoppm", "poppler-utils"),
    ("pdftotext", "poppler-utils"),
    ("git", "git"),
    ("curl", "curl"),
    ("convert", "imagemagick"),
    ("libreoffice", "libreoffice-core"),
];

/// Packages that an install compiles.
pub(super) fn native(requirements: &[Requirement], locked: &Locked) -> Vec<Fact<String>> {
    let mut found: Vec<Fact<String>> = Vec::new();
    for requirement in requirements {
        let compiled = COMPILED.iter().find(|name| requirement.name == **name);
        let c = requirement.name == "psycopg" && requirement.extras.iter().any(|extra| extra == "c");
        let name = if c { Some("psycopg-c") } else { compiled.copied() };
        if let Some(name) = name {
            let mut evidence = requirement.evidence.clone();
            evidence.reason = format!("{name} has no wheel for Linux: it is compiled when it is installed");
            found.push(Fact::new(name.to_owned(), evidence));
        }
    }
    for name in COMPILED {
        if let Some((_, evidence)) = locked.get(name).filter(|_| !found.iter().any(|fact| fact.value == name))
        {
            let mut evidence = evidence.clone();
            evidence.reason = format!("{name} has no wheel for Linux: it is compiled when it is installed");
            found.push(Fact::new(name.to_owned(), evidence));
        }
    }
    found.dedup_by(|a, b| a.value == b.value);
    found
}

/// Debian packages that a project needs when it runs.
pub(super) fn packages(project: &Project) -> Vec<Fact<String>> {
    let mut found: Vec<Fact<String>> = Vec::new();
    let mut add = |name: &str, evidence: Evidence| {
        if !found.iter().any(|fact| fact.value == name) {
            found.push(Fact::new(name.to_owned(), evidence));
        }
    };
    let because = |requirement: &Requirement, reason: &str| Evidence {
        reason: reason.to_owned(),
        ..requirement.evidence.clone()
    };
    if let Some(psycopg) = project.needs(&["psycopg"])
        && !psycopg.extras.iter().any(|extra| matches!(extra.as_str(), "binary" | "c"))
        && project.needs(&["psycopg-binary", "psycopg-c"]).is_none()
    {
        add("libpq5", because(psycopg, "psycopg without its binary part loads libpq when it runs"));
    }
    for (name, packages, reason) in LOADS {
        let Some(requirement) = project.needs(&[name]) else { continue };
        for package in packages {
            add(package, because(requirement, &format!("{name} {reason}")));
        }
    }
    for module in &project.modules {
        for (package, evidence) in called(module) {
            add(package, evidence);
        }
    }
    found
}

/// Programs that a module starts: `subprocess.run(["pg_dump", …])`, `shutil.which("pg_isready")`.
fn called(module: &Rc<Module>) -> Vec<(&'static str, Evidence)> {
    let mut found = Vec::new();
    for at in 0..module.tokens.len() {
        let Some((name, open)) = module.resolved(at).filter(|(_, next)| module.is(*next, "(")) else {
            continue;
        };
        let starts = name.starts_with("subprocess.")
            || name.starts_with("asyncio.create_subprocess")
            || matches!(name.as_str(), "os.system" | "os.popen" | "shutil.which");
        let Some(first) = module.arguments(open).first().copied().filter(|_| starts) else { continue };
        let inner = if module.is(first.at, "[") { first.at + 1 } else { first.at };
        let Some(text) = module.string(inner) else { continue };
        let program = text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        if let Some((program, package)) = PROGRAMS.iter().find(|(known, _)| *known == program) {
            let evidence =
                Evidence::new(&module.source, module.span(at, inner), format!("calls the program {program}"));
            found.push((*package, evidence));
        }
    }
    found
}
