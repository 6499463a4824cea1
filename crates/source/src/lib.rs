//! Text with exact positions: spans, diagnostics, findings and edits, JSON and the YAML tree. No IO.
//!
//! Everything that reads a user's file keeps byte [`Span`]s into a [`Source`], so that every message can name
//! the file, the line and the cause. Rendering happens once, in the binary.

mod diagnostic;
mod edit;
mod explain;
mod finding;
pub mod json;
mod printable;
mod span;
pub mod yaml;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use edit::{Edit, EditError, apply};
pub use explain::{Explain, FREE_SPACE, Failure, is_disk_full, with_causes};
pub use finding::{EvidenceKind, Finding, Fix, RuleInfo, Safety};
pub use printable::{printable, printable_line, printable_output};
pub use span::{LineCol, Source, Span};
