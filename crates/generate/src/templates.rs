//! The templates beside the code, in the binary.

use include_dir::{Dir, include_dir};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde};

use crate::stack::Stack;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// A template that does not fit the stack: a defect of Plimsoll.
#[derive(Debug, thiserror::Error)]
#[error("{template}: the template cannot be filled (a defect of Plimsoll)")]
pub struct TemplateError {
    /// The template.
    pub template: String,
    /// What is wrong in it.
    pub source: minijinja::Error,
}

/// Fills one template.
pub(crate) fn render(template: &str, stack: &Stack) -> Result<String, TemplateError> {
    let failed = |source| TemplateError { template: template.to_owned(), source };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The plan has checked every text; HTML's and JSON's rules would be wrong in these formats.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build().map_err(failed)?;
    environment.set_syntax(syntax);
    let text = TEMPLATES.get_file(template).and_then(|file| file.contents_utf8()).ok_or_else(|| {
        failed(minijinja::Error::new(minijinja::ErrorKind::TemplateNotFound, "it is not in the binary"))
    })?;
    environment.render_named_str(template, text, Value::from(Serde(stack))).map_err(failed)
}
