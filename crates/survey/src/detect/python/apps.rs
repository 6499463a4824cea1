//! The object that a server serves: `app = Flask(__name__)`, `application = get_wsgi_application()`, a factory.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    command, install,
    project::{Project, below},
};
use crate::{
    context::{Context, has_extension, join},
    detect::platform::Launch,
    model::{Evidence, is_below},
    python::Module,
};

/// How a server and an application talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Wsgi,
    Asgi,
}

/// One application object.
#[derive(Clone, Debug)]
pub(super) struct App {
    /// File of its module.
    pub(super) file: String,
    /// Folder from which the module is imported.
    pub(super) root: String,
    /// `shop.wsgi`.
    pub(super) module: String,
    /// `app`, or a factory's name.
    pub(super) object: String,
    pub(super) factory: bool,
    pub(super) interface: Interface,
    /// The package that it comes from, normalised: `flask`.
    pub(super) package: &'static str,
    pub(super) evidence: Evidence,
}

impl App {
    /// `module:object`, as gunicorn takes it.
    pub(super) fn target(&self) -> String {
        let call = if self.factory && self.interface == Interface::Wsgi { "()" } else { "" };
        format!("{}:{}{call}", self.module, self.object)
    }
}

/// What makes an application, with its package.
const MAKERS: [(&str, Interface, &str); 21] = [
    ("flask.Flask", Interface::Wsgi, "flask"),
    ("apiflask.APIFlask", Interface::Wsgi, "apiflask"),
    ("flask_openapi3.OpenAPI", Interface::Wsgi, "flask-openapi3"),
    ("bottle.Bottle", Interface::Wsgi, "bottle"),
    ("bottle.default_app", Interface::Wsgi, "bottle"),
    ("falcon.App", Interface::Wsgi, "falcon"),
    ("falcon.asgi.App", Interface::Asgi, "falcon"),
    ("quart.Quart", Interface::Asgi, "quart"),
    ("fastapi.FastAPI", Interface::Asgi, "fastapi"),
    ("starlette.applications.Starlette", Interface::Asgi, "starlette"),
    ("litestar.Litestar", Interface::Asgi, "litestar"),
    ("sanic.Sanic", Interface::Asgi, "sanic"),
    ("fasthtml.FastHTML", Interface::Asgi, "python-fasthtml"),
    ("fasthtml.common.FastHTML", Interface::Asgi, "python-fasthtml"),
    ("blacksheep.Application", Interface::Asgi, "blacksheep"),
    ("blacksheep.server.Application", Interface::Asgi, "blacksheep"),
    ("socketio.ASGIApp", Interface::Asgi, "python-socketio"),
    ("socketio.WSGIApp", Interface::Wsgi, "python-socketio"),
    ("pyramid.config.Configurator", Interface::Wsgi, "pyramid"),
    ("connexion.AsyncApp", Interface::Asgi, "connexion"),
    ("connexion.FlaskApp", Interface::Asgi, "connexion"),
];

/// Names of files that hold an application, the most usual first.
const FILES: [&str; 10] =
    ["wsgi", "asgi", "main", "app", "application", "server", "run", "api", "web", "__init__"];
const OBJECTS: [&str; 4] = ["app", "application", "api", "server"];

/// All application objects of a project, the likeliest first.
pub(super) fn find(context: &Context<'_>, project: &Project) -> Vec<App> {
    let classes = classes(project);
    let factories = factories(project, &classes);
    let mut apps: Vec<App> = Vec::new();
    for module in &project.modules {
        for (name, value) in module.assignments() {
            let Some((interface, package, factory)) = made(project, module, value, &factories, &classes)
            else {
                continue;
            };
            // Socket.IO around another application is served; what is mounted in one is a part of it.
            if package == "python-socketio" && !wraps(module, value) {
                continue;
            }
            let object = module.text(name).to_owned();
            let reason = if factory { "the application, made by its factory" } else { "the application" };
            let evidence = Evidence::new(&module.source, module.span(name, value), reason);
            apps.extend(app(context, project, module, object, false, interface, package, evidence));
        }
    }
    // An application that wraps another one in the same module is the outer one.
    if apps.is_empty() {
        for factory in &factories {
            let Some(module) = project.module(&factory.file) else { continue };
            apps.extend(app(
                context,
                project,
                module,
                factory.name.clone(),
                true,
                factory.interface,
                factory.package,
                factory.evidence.clone(),
            ));
        }
    }
    apps.sort_by_key(|app| rank(project, app));
    apps.truncate(50);
    apps
}

fn rank(project: &Project, app: &App) -> (bool, usize, usize, usize, String) {
    let stem = app.file.rsplit('/').next().and_then(|name| name.strip_suffix(".py")).unwrap_or_default();
    let file = FILES.iter().position(|name| *name == stem).unwrap_or(FILES.len());
    let object = OBJECTS.iter().position(|name| *name == app.object).unwrap_or(OBJECTS.len());
    let inside = below(&app.file, &project.folder).unwrap_or(&app.file);
    let depth = inside.strip_prefix("src/").unwrap_or(inside).matches('/').count();
    (app.package != "python-socketio", depth, file, object, app.file.clone())
}

/// Whether `socketio.ASGIApp(sio, app)` has another application in it, or stands alone in its project.
fn wraps(module: &Rc<Module>, value: usize) -> bool {
    let Some((_, open)) = module.dotted(value) else { return false };
    let line = (0..=value).rev().find(|&at| module.tokens[at].first).unwrap_or(value);
    let name = module.text(line);
    let mounted = (0..module.tokens.len()).any(|at| {
        module.is(at, "mount")
            && module.is(at + 1, "(")
            && module.arguments(at + 1).iter().any(|argument| module.is(argument.at, name))
    });
    let second = module.arguments(open).iter().filter(|argument| argument.name.is_none()).count() > 1;
    let named = ["other_asgi_app", "wsgi_app"].iter().any(|name| module.keyword(open, name).is_some());
    second || named || !mounted
}

/// Frameworks, in the order in which a served application is taken to be one of them.
const FRAMEWORKS: [&str; 12] = [
    "fastapi",
    "litestar",
    "quart",
    "sanic",
    "starlette",
    "falcon",
    "flask",
    "apiflask",
    "bottle",
    "pyramid",
    "connexion",
    "django",
];

/// The application that a command of the project serves, whatever makes it: its module is there and has the name.
pub(super) fn served(
    context: &Context<'_>,
    project: &Project,
    (module, object): (&str, &str),
    launch: &Launch,
) -> Option<App> {
    let words = &launch.line.as_ref()?.words;
    let interface = command::interface(words)?;
    let path = module.replace('.', "/");
    let ends = [format!("{path}.py"), format!("{path}/__init__.py")];
    let mut fitting: Vec<&Rc<Module>> = project
        .modules
        .iter()
        .filter(|module| {
            ends.iter().any(|end| {
                let name = module.source.name();
                name == end || name.ends_with(&format!("/{end}"))
            })
        })
        .collect();
    fitting.sort_by_key(|module| module.source.name().matches('/').count());
    let file = fitting.first()?;
    let call = object.ends_with("()");
    let object = match object.trim_end_matches("()") {
        "" => "application",
        object => object,
    };
    let there = (0..file.tokens.len()).find(|&at| file.is(at, object))?;
    let factory = call || words.iter().any(|word| word == "--factory");
    let name = file.source.name();
    let root = ends.iter().find_map(|end| name.strip_suffix(end.as_str()))?.trim_end_matches('/').to_owned();
    // What is installed as a package is found from the project's own folder.
    let installed = root == join(&project.folder, "src") && install::is_installed(context, project);
    Some(App {
        file: name.to_owned(),
        root: if installed { project.folder.clone() } else { root },
        module: module.to_owned(),
        object: object.to_owned(),
        factory,
        interface,
        package: FRAMEWORKS.iter().find(|name| project.needs(&[name]).is_some()).copied().unwrap_or("asgi"),
        evidence: Evidence {
            reason: "the application that this command serves".to_owned(),
            ..if launch.weak {
                Evidence::new(&file.source, file.span(there, there), "")
            } else {
                launch.evidence.clone()
            }
        },
    })
}

#[expect(clippy::too_many_arguments, reason = "the fields of one value")]
fn app(
    context: &Context<'_>,
    project: &Project,
    module: &Rc<Module>,
    object: String,
    factory: bool,
    interface: Interface,
    package: &'static str,
    evidence: Evidence,
) -> Option<App> {
    project.needs(&[package])?;
    let file = module.source.name().to_owned();
    let (root, dotted) = place(context, project, &file)?;
    Some(App { file, root, module: dotted, object, factory, interface, package, evidence })
}

/// A function that makes an application.
struct Factory {
    file: String,
    name: String,
    interface: Interface,
    package: &'static str,
    evidence: Evidence,
}

fn maker(name: &str) -> Option<(Interface, &'static str)> {
    MAKERS.iter().find(|(maker, ..)| *maker == name).map(|(_, interface, package)| (*interface, *package))
}

/// A class of the project that is an application: `class Shop(Flask)`.
struct Class {
    file: String,
    name: String,
    interface: Interface,
    package: &'static str,
}

/// A class of a class of a class is looked at, and no further one.
const MAX_PARENTS: usize = 3;
const MAX_CLASSES: usize = 100;

/// The project's own kinds of applications.
fn classes(project: &Project) -> Vec<Class> {
    let mut found: Vec<Class> = Vec::new();
    for _ in 0..MAX_PARENTS {
        let mut new = Vec::new();
        for module in &project.modules {
            let defined = module
                .lines()
                .filter(|&at| module.is(at, "class") && module.is_word(at + 1) && module.is(at + 2, "("));
            for at in defined {
                let (file, name) = (module.source.name(), module.text(at + 1));
                let known = found.iter().any(|class| class.file == file && class.name == name);
                let made = module.arguments(at + 2).iter().find_map(|parent| {
                    let (parent, _) = module.resolved(parent.at)?;
                    maker(&parent).or_else(|| of_class(project, module, &parent, &found))
                });
                let Some((interface, package)) = made.filter(|_| !known) else { continue };
                new.push(Class { file: file.to_owned(), name: name.to_owned(), interface, package });
            }
        }
        if new.is_empty() || found.len() > MAX_CLASSES {
            break;
        }
        found.extend(new);
    }
    found
}

/// The class of the project that a name in a module stands for.
fn of_class(
    project: &Project,
    module: &Module,
    name: &str,
    classes: &[Class],
) -> Option<(Interface, &'static str)> {
    let last = name.rsplit('.').next()?;
    let mut named = classes.iter().filter(|class| class.name == last).peekable();
    named.peek()?;
    let path = name.rsplit_once('.').map(|(path, _)| if path.is_empty() { "." } else { path });
    let file = match path {
        Some(path) => project.find(module, path)?.source.name(),
        None => module.source.name(),
    };
    // A package may pass on what a module of it defines.
    let package = file.strip_suffix("__init__.py");
    named
        .find(|class| class.file == file || package.is_some_and(|package| class.file.starts_with(package)))
        .map(|class| (class.interface, class.package))
}

/// What the value of an assignment makes.
fn made(
    project: &Project,
    module: &Rc<Module>,
    value: usize,
    factories: &[Factory],
    classes: &[Class],
) -> Option<(Interface, &'static str, bool)> {
    let (name, next) = module.resolved(value)?;
    if !module.is(next, "(") {
        return None;
    }
    if let Some((interface, package)) = maker(&name).or_else(|| of_class(project, module, &name, classes)) {
        return Some((interface, package, false));
    }
    let last = name.rsplit('.').next()?;
    let named: Vec<&Factory> = factories.iter().filter(|factory| factory.name == last).collect();
    let own = named.iter().find(|factory| factory.file == module.source.name());
    let imported = name
        .rsplit_once('.')
        .and_then(|(path, _)| project.find(module, if path.is_empty() { "." } else { path }));
    let found = own
        .or_else(|| {
            named.iter().find(|factory| imported.is_some_and(|target| target.source.name() == factory.file))
        })
        // A package may pass on what a module of it defines.
        .or_else(|| named.first().filter(|_| imported.is_some() && named.len() == 1))?;
    Some((found.interface, found.package, true))
}

/// Functions on the top level whose body makes an application and returns something.
fn factories(project: &Project, classes: &[Class]) -> Vec<Factory> {
    let mut found = Vec::new();
    for module in &project.modules {
        let lines: Vec<usize> = module.lines().filter(|&at| module.tokens[at].indent == 0).collect();
        for (number, &at) in lines.iter().enumerate() {
            let name = if module.is(at, "def") { at + 1 } else { continue };
            let end = lines.get(number + 1).copied().unwrap_or(module.tokens.len()).min(at + 4000);
            let mut makes = None;
            let mut returns = false;
            for inside in name..end {
                returns |= module.is(inside, "return") && module.is_word(inside + 1);
                if makes.is_none() && module.is(inside + 1, "(") || module.is(inside + 1, ".") {
                    makes = makes.or_else(|| {
                        module.resolved(inside).filter(|(_, next)| module.is(*next, "(")).and_then(
                            |(name, _)| maker(&name).or_else(|| of_class(project, module, &name, classes)),
                        )
                    });
                }
            }
            let Some((interface, package)) = makes.filter(|_| returns) else { continue };
            let evidence = Evidence::new(&module.source, module.span(at, name), "makes the application");
            found.push(Factory {
                file: module.source.name().to_owned(),
                name: module.text(name).to_owned(),
                interface,
                package,
                evidence,
            });
        }
    }
    found
}

/// The folder from which a module is imported, and its dotted name from there.
pub(super) fn place(context: &Context<'_>, project: &Project, file: &str) -> Option<(String, String)> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut candidates = vec![project.folder.clone()];
    let inside = below(folder, &project.folder).unwrap_or_default();
    for part in inside.split('/').filter(|part| !part.is_empty()) {
        let last = candidates.last().cloned().unwrap_or_default();
        candidates.push(join(&last, part));
    }
    // Nothing is imported from the inside of a package.
    candidates.retain(|candidate| {
        candidate == &project.folder || !context.repository.contains(&join(candidate, "__init__.py"))
    });
    candidates.retain(|candidate| dotted(file, candidate).is_some());
    let imported = imported(project, folder);
    let score = |candidate: &String| {
        imported
            .iter()
            .filter(|name| {
                let path = join(candidate, name);
                context.repository.contains(&format!("{path}.py"))
                    || context.repository.under(&path).any(|file| has_extension(file, "py"))
            })
            .count()
    };
    let best = candidates.iter().map(score).max()?;
    // A package below `src` has its own name, also where none of its modules imports another by it.
    let src = join(&project.folder, "src");
    let in_package = |candidate: &&String| {
        **candidate == src && score(candidate) == best && below(file, &src).is_some_and(|it| it.contains('/'))
    };
    let named = candidates.iter().find(|it| in_package(it) && project.package().is_some());
    let root = named.or_else(|| candidates.iter().find(|candidate| score(candidate) == best))?.clone();
    let name = dotted(file, &root)?;
    // What is installed as a package is found from everywhere.
    let installed = root == src && install::is_installed(context, project);
    Some((if installed { project.folder.clone() } else { root }, name))
}

/// First parts of the names that modules in and below a folder import.
fn imported(project: &Project, folder: &str) -> BTreeSet<String> {
    let modules = project.modules.iter().filter(|module| is_below(module.source.name(), folder)).take(60);
    let imports = modules.flat_map(|module| module.imports.values().filter(|import| import.level == 0));
    imports
        .filter_map(|import| Some(import.module.split('.').next()?.to_owned()))
        .filter(|name| !name.is_empty())
        .take(500)
        .collect()
}

/// The dotted name of a file below a folder.
pub(super) fn dotted(file: &str, folder: &str) -> Option<String> {
    let inside = below(file, folder)?.strip_suffix(".py")?;
    let inside = inside.strip_suffix("/__init__").unwrap_or(inside);
    let fits = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    inside.split('/').all(fits).then(|| inside.replace('/', "."))
}
