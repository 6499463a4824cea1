//! Text to [`Dockerfile`]: both layers together.
use plimsoll_source::{Diagnostic, Source, Span};

use crate::{
    Dockerfile, Instruction, Statement,
    syntax::{self, Fault, Node, Phase, Syntax},
    typed::{self, Item},
};

/// A Dockerfile as far as it could be understood.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Everything that is right; it may have no stages.
    pub dockerfile: Dockerfile,
    /// Everything that is wrong, in order of the text. Empty means that [`parse`] succeeds.
    pub faults: Vec<Fault>,
    /// The first layer, for checks of spelling.
    pub syntax: Syntax,
}

/// BuildKit's text for an instruction before the first FROM.
pub(crate) const NO_STAGE: &str = "no build stage in current context";

/// Parses a Dockerfile; the error has every problem found, in order of the text.
pub fn parse(source: &Source) -> Result<Dockerfile, Vec<Diagnostic>> {
    let parsed = parse_lenient(source);
    if parsed.faults.is_empty() {
        return Ok(parsed.dockerfile);
    }
    Err(parsed.faults.into_iter().map(|fault| fault.diagnostic).collect())
}

/// Parses a Dockerfile and keeps what is right in it, for checks and editors.
pub fn parse_lenient(source: &Source) -> Parsed {
    let (syntax, mut faults) = syntax::parse(source);
    let warnings = syntax.empty_continuations.iter().map(|(_, span)| {
        Diagnostic::warning("empty continuation line")
            .label(source, *span, "")
            .note("empty continuation lines will become errors in a future release of Dockerfile")
            .hint("remove the line or make it a comment")
    });
    let mut dockerfile = Dockerfile {
        source: source.clone(),
        directives: syntax.directives.clone(),
        windows_heredoc: syntax.windows_heredoc,
        meta_args: Vec::new(),
        stages: Vec::new(),
        warnings: warnings.collect(),
    };
    // Whether it makes sense to say that an instruction stands in no stage.
    let mut expect_stage = true;
    for node in &syntax.nodes {
        let Err((title, span)) = add(&mut dockerfile, node) else { continue };
        let no_stage = title == NO_STAGE;
        if no_stage && !expect_stage {
            continue;
        }
        expect_stage &= !no_stage && node.name() != "FROM";
        let mut diagnostic = Diagnostic::error(title).label(source, span, "");
        if no_stage {
            diagnostic = diagnostic.hint("start with a FROM instruction; only ARG may stand before it");
        }
        faults.push(Fault { phase: Phase::Instruction, lines: node.lines, diagnostic });
    }
    faults.sort_by_key(|fault| fault.lines.first);
    if dockerfile.stages.is_empty() && faults.is_empty() {
        let lines = syntax.nodes.last().map(|node| node.lines).unwrap_or_default();
        let diagnostic = Diagnostic::error("dockerfile contains no stages to build")
            .label(source, Span::new(0, 0), "")
            .hint("add a FROM instruction");
        faults.push(Fault { phase: Phase::Instruction, lines, diagnostic });
    }
    Parsed { dockerfile, faults, syntax }
}

fn add(dockerfile: &mut Dockerfile, node: &Node) -> Result<(), (String, Span)> {
    let statement = match typed::item(node).map_err(|(title, word)| (title, word.span))? {
        Item::Stage(stage) => {
            dockerfile.stages.push(stage);
            return Ok(());
        }
        Item::Statement(statement) => statement,
    };
    let Some(stage) = dockerfile.stages.last_mut() else {
        return match statement.value {
            Instruction::Arg(value) => {
                let Statement { span, lines, keyword, text, comments, .. } = statement;
                dockerfile.meta_args.push(Statement { value, span, lines, keyword, text, comments });
                Ok(())
            }
            _ => Err((NO_STAGE.to_owned(), statement.span)),
        };
    };
    stage.instructions.push(statement);
    Ok(())
}

/// Parses one ONBUILD trigger from the config of an image. `source` is its text ([`crate::Onbuild::expression`]);
/// name it so that messages tell which image it came from.
pub fn parse_trigger(source: &Source) -> Result<Statement, Vec<Diagnostic>> {
    let (syntax, faults) = syntax::parse(source);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(|fault| fault.diagnostic).collect());
    }
    let refuse = |title: String, span| Err(vec![Diagnostic::error(title).label(source, span, "")]);
    let [node] = syntax.nodes.as_slice() else {
        return refuse(
            "onbuild trigger should be a single expression".to_owned(),
            Span::new(0, source.text().len()),
        );
    };
    match typed::item(node) {
        Ok(Item::Statement(statement)) if !matches!(statement.value, Instruction::Onbuild(_)) => {
            Ok(statement)
        }
        Ok(_) => refuse(format!("{} isn't allowed as an ONBUILD trigger", node.name()), node.span),
        Err((title, word)) => refuse(title, word.span),
    }
}
