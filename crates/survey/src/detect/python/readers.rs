//! Functions of a project that read the variable whose name they are given, and functions around them.

use std::rc::Rc;

use super::{environment::enclosing, project::Project};
use crate::python::Module;

/// A function that reads the variable whose name is its parameter number `parameter`.
pub(super) struct Reader {
    pub(super) name: String,
    pub(super) parameter: usize,
    pub(super) file_variant: bool,
    pub(super) required: bool,
}

/// Functions that are looked at, and tokens of each: a text that was made to be slow must not be.
const MAX_READERS: usize = 50;
const MAX_BODY: usize = 1500;
const MAX_FUNCTIONS: usize = 3000;
/// Functions around functions that read are followed so many times.
const MAX_WRAPS: usize = 2;

/// Functions that read, and those that hand the name of a variable on to one of them.
pub(super) fn readers(project: &Project) -> Vec<Reader> {
    let mut readers = direct_readers(project);
    for _ in 0..MAX_WRAPS {
        let before = readers.len();
        if before == 0 {
            break;
        }
        let mut looked_at = 0;
        for module in &project.modules {
            for def in 0..module.tokens.len() {
                if looked_at > MAX_FUNCTIONS || readers.len() >= MAX_READERS {
                    return readers;
                }
                if module.is(def, "def") && module.is(def + 2, "(") {
                    looked_at += 1;
                    let wrapper = wrapper(module, def, &readers);
                    readers.extend(wrapper);
                }
            }
        }
        if readers.len() == before {
            break;
        }
    }
    readers
}

/// `def get_env(key, default): return lambda: get_value(key=key, default=default)`.
fn wrapper(module: &Module, def: usize, readers: &[Reader]) -> Option<Reader> {
    let name = module.text(def + 1);
    // `get` and the like are called for much else.
    let general =
        ["get", "read", "load", "value", "setting", "config"].contains(&name) || name.starts_with("__");
    if general || readers.iter().any(|reader| reader.name == name) {
        return None;
    }
    let close = module.close(def + 2)?;
    let arguments = module.arguments(def + 2);
    let parameters: Vec<&str> =
        arguments.iter().take(6).map(|argument| parameter_name(module, argument.at, argument.name)).collect();
    let indent = module.tokens[def].indent;
    let ends = |at: usize| module.tokens[at].first && module.tokens[at].indent <= indent;
    (close..module.tokens.len().min(close + MAX_BODY)).take_while(|&at| !ends(at)).find_map(|at| {
        let reader = readers.iter().find(|reader| module.is(at, &reader.name) && module.is(at + 1, "("))?;
        let argument = *module.arguments(at + 1).get(reader.parameter)?;
        let handed = argument.end == argument.at + 1;
        let parameter = parameters.iter().position(|name| handed && module.is(argument.at, name))?;
        Some(Reader {
            name: name.to_owned(),
            parameter,
            file_variant: reader.file_variant,
            required: reader.required && parameters.len() == parameter + 1,
        })
    })
}

fn direct_readers(project: &Project) -> Vec<Reader> {
    let mut readers = Vec::new();
    let mut looked_at = 0;
    for module in &project.modules {
        // Only a module that knows `os` reads the environment.
        if !module.imports.values().any(|import| import.module == "os") {
            continue;
        }
        for at in 0..module.tokens.len() {
            if !module.is(at, "def") || !module.is(at + 2, "(") {
                continue;
            }
            looked_at += 1;
            if looked_at > MAX_FUNCTIONS || readers.len() == MAX_READERS {
                return readers;
            }
            readers.extend(reader(module, at));
        }
    }
    readers
}

fn reader(module: &Rc<Module>, def: usize) -> Option<Reader> {
    let close = module.close(def + 2)?;
    let parameters: Vec<&str> = module
        .arguments(def + 2)
        .iter()
        .take(6)
        .map(|argument| parameter_name(module, argument.at, argument.name))
        .collect();
    let indent = module.tokens[def].indent;
    let mut found: Option<Reader> = None;
    for at in close..module.tokens.len().min(close + MAX_BODY) {
        if module.tokens[at].first && module.tokens[at].indent <= indent {
            break;
        }
        if let Some(reader) = &mut found {
            reader.required |= module.is(at, "raise")
                && enclosing(module, at).is_some_and(|header| asks_for_nothing(module, header));
            reader.file_variant |= names_file(module, at, parameters.get(reader.parameter)?);
            continue;
        }
        let Some((name, next)) = module.resolved(at) else {
            continue;
        };
        let reads = matches!(name.as_str(), "os.environ.get" | "os.getenv") && module.is(next, "(");
        let demands = name == "os.environ" && module.is(next, "[");
        if !(reads || demands) {
            continue;
        }
        if let Some(parameter) = parameters.iter().position(|parameter| module.is(next + 1, parameter)) {
            let file_variant = (close..at).any(|at| names_file(module, at, parameters[parameter]));
            found = Some(Reader {
                name: module.text(def + 1).to_owned(),
                parameter,
                file_variant,
                required: demands,
            });
        } else if let Some(parameter) =
            parameters.iter().position(|parameter| names_file(module, next + 1, parameter))
        {
            // The file comes first: `os.environ.get(f"{name}_FILE")`.
            found = Some(Reader {
                name: module.text(def + 1).to_owned(),
                parameter,
                file_variant: true,
                required: false,
            });
        }
    }
    found
}

/// `if not value:` and `if value is None:`.
fn asks_for_nothing(module: &Module, header: usize) -> bool {
    module.is(header, "if")
        && ((module.is(header + 1, "not") && module.is_word(header + 2) && module.is(header + 3, ":"))
            || (module.is(header + 2, "is") && module.is(header + 3, "None") && module.is(header + 4, ":")))
}

fn parameter_name<'a>(module: &'a Module, at: usize, name: Option<&'a str>) -> &'a str {
    name.unwrap_or_else(|| module.text(at))
}

/// `f"{name}_FILE"` or `name + "_FILE"`.
fn names_file(module: &Module, at: usize, parameter: &str) -> bool {
    module.format(at).is_some_and(|text| text == format!("{{{parameter}}}_FILE"))
        || (module.is(at, parameter)
            && module.is(at + 1, "+")
            && module.string(at + 2).as_deref() == Some("_FILE"))
}
