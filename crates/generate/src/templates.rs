//! The templates beside the code, in the binary.

use include_dir::{Dir, DirEntry, include_dir};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde,
};
use serde::Serialize;

use crate::escape;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// A template that does not fit the stack: a defect of Plimsoll.
#[derive(Debug, thiserror::Error)]
#[error("{template}: the template cannot be filled (a defect of Plimsoll)")]
pub struct TemplateError {
    /// The template.
    pub template: String,
    /// What is wrong in it.
    pub source: Error,
}

impl plimsoll_source::Explain for TemplateError {}

/// Fills one template.
pub(crate) fn render(template: &str, values: &impl Serialize) -> Result<String, TemplateError> {
    let failed = |source| TemplateError { template: template.to_owned(), source };
    let environment = environment().map_err(failed)?;
    let template = environment.get_template(template).map_err(failed)?;
    template.render(Value::from(Serde(values))).map_err(failed)
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // HTML's and JSON's rules would be wrong in these formats; each has a filter of its own.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    environment.add_filter("json", |text: String| escape::json(&text));
    environment.add_filter("list", |texts: Vec<String>| escape::json_list(&texts));
    environment.add_filter("compose_list", |texts: Vec<String>| escape::compose_list(&texts));
    environment.add_filter("docker", |text: String| escape::docker(&text));
    environment.add_filter("shell", |text: String| escape::shell(&text));
    environment.add_filter("nginx", |text: String| escape::nginx(&text));
    environment.add_filter("comment", |text: String| escape::comment(&text));
    add(&mut environment, &TEMPLATES)?;
    Ok(environment)
}

fn add(environment: &mut Environment<'static>, folder: &'static Dir<'static>) -> Result<(), Error> {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(folder) => add(environment, folder)?,
            DirEntry::File(file) => {
                let name = file.path().to_str().zip(file.contents_utf8());
                let Some((name, text)) = name else {
                    return Err(Error::new(ErrorKind::TemplateNotFound, "a template is not UTF-8"));
                };
                environment.add_template(name, text)?;
            }
        }
    }
    Ok(())
}
