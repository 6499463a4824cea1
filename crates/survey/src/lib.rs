//! Reads a repository through one read-only view and says what it holds.
//!
//! Input is a [`Repository`]: the files that Git would track, bounded in count, size and depth. Output is a [`Survey`]:
//! workspaces, services, data stores and what is missing, where every fact carries the [`Evidence`] that it rests on
//! (file, line, span, reason). Nothing is run and nothing is fetched. What the files do not say is a [`Gap`], never a
//! silent guess. `detect/` has one file per thing that we know; its registry is the list of them.

mod answers;
mod context;
mod detect;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod generated;
mod javascript;
mod manifest;
mod model;
mod python;
mod repository;
pub mod rules;
mod text;
mod tokens;
mod toml;

pub use detect::stores::names::is_word_of as names_store;
/// Names of documents for people: builds do without them unless something names one.
pub use detect::{documents::NAMES as DOCUMENTS, node::may_start_manager};

pub use answers::{AnswerError, FIELDS, TLS, TLS_FILES, answer, ask_about_stack, take_defaults};
pub use model::{
    Address, AddressForm, Beside, Bind, BuildCache, CALLS_AS_ITS_OWN, Confidence, Ecosystem, Edge, Evidence,
    Fact, Framework, Gap, HANDS_OUT, HOST_IN, Health, Install, Manager, Migration, OwnImage, Part, Probe,
    Process, Question, Role, Route, RuntimeConfig, RuntimeSetting, Service, Setting, Shape, Ships, Store,
    StoreKind, StoreRole, StoreUse, Survey, Variable, Workspace, Writes, is_by_itself, is_this_machine,
};
pub use repository::{ReadLimits, Repository, RepositoryError};
pub use text::{kind, render};

/// Surveys a repository.
pub fn survey(repository: &Repository) -> Survey {
    let context = context::Context::new(repository);
    context.read_ahead();
    let mut survey = Survey::default();
    for detector in detect::ALL {
        (detector.run)(&context, &mut survey);
    }
    survey
}

/// What a survey looks for, in order.
pub fn known() -> impl Iterator<Item = &'static str> {
    detect::names()
}
