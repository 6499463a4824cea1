//! The second layer: a node to a typed instruction. Errors have BuildKit's wording.
mod command;
mod device;
mod duration;
mod flags;
mod transfer;

use crate::{
    Arg, Instruction, KeyValue, Onbuild, Stage, Statement, Word,
    quote::quote,
    suggest,
    syntax::Node,
    typed::flags::{Flags, Kind},
};

/// What is wrong with an instruction, and where.
pub(crate) type Wrong = (String, Word);

/// What a node of the syntax becomes.
pub(crate) enum Item {
    Stage(Stage),
    Statement(Statement),
}

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Types `node`.
pub(crate) fn item(node: &Node) -> Result<Item, Wrong> {
    if node.name() == "FROM" {
        return from(node).map(Item::Stage);
    }
    Ok(Item::Statement(Statement {
        value: instruction(node)?,
        span: node.span,
        lines: node.lines,
        keyword: node.keyword.clone(),
        text: node.text.clone(),
        comments: node.comments.clone(),
    }))
}

/// A message about the whole instruction.
fn wrong<T>(node: &Node, title: impl Into<String>) -> Result<T, Wrong> {
    Err((title.into(), node.keyword.clone()))
}

fn at_least_one<T>(node: &Node) -> Result<T, Wrong> {
    wrong(node, format!("{} requires at least one argument", node.name()))
}

fn instruction(node: &Node) -> Result<Instruction, Wrong> {
    let name = node.name();
    Ok(match name.as_str() {
        "ADD" => Instruction::Add(transfer::add(node)?),
        "ARG" => Instruction::Arg(arg(node)?),
        "CMD" => {
            Flags::none(node)?;
            Instruction::Cmd(command::command_line(node, &node.args))
        }
        "COPY" => Instruction::Copy(transfer::copy(node)?),
        "ENTRYPOINT" => {
            Flags::none(node)?;
            Instruction::Entrypoint(command::command_line(node, &node.args))
        }
        "ENV" => Instruction::Env(pairs(node)?),
        "EXPOSE" => {
            if node.args.is_empty() {
                return at_least_one(node);
            }
            Flags::none(node)?;
            let mut ports = node.args.clone();
            ports.sort_by(|a, b| a.text.cmp(&b.text));
            Instruction::Expose(ports)
        }
        "HEALTHCHECK" => Instruction::Healthcheck(command::healthcheck(node)?),
        "LABEL" => Instruction::Label(pairs(node)?),
        "MAINTAINER" => Instruction::Maintainer(one(node)?),
        "ONBUILD" => Instruction::Onbuild(onbuild(node)?),
        "RUN" => Instruction::Run(command::run(node)?),
        "SHELL" => Instruction::Shell(shell(node)?),
        "STOPSIGNAL" => match node.args.as_slice() {
            [signal] => Instruction::Stopsignal(signal.clone()),
            _ => return wrong(node, "STOPSIGNAL requires exactly one argument"),
        },
        "USER" => Instruction::User(one(node)?),
        "VOLUME" => Instruction::Volume(volume(node)?),
        "WORKDIR" => Instruction::Workdir(one(node)?),
        _ => {
            let title = format!("unknown instruction: {}", node.keyword.text);
            return wrong(node, suggest::with_suggestion(title, &node.keyword.text, KEYWORDS, true));
        }
    })
}

fn one(node: &Node) -> Result<Word, Wrong> {
    let [word] = node.args.as_slice() else {
        return wrong(node, format!("{} requires exactly one argument", node.name()));
    };
    Flags::none(node)?;
    Ok(word.clone())
}

fn arg(node: &Node) -> Result<Arg, Wrong> {
    if node.args.is_empty() {
        return at_least_one(node);
    }
    match node.definitions.iter().position(|definition| definition.name.text.is_empty()) {
        Some(blank) => Err(("ARG names can not be blank".to_owned(), node.args[blank].clone())),
        None => Ok(Arg { definitions: node.definitions.clone() }),
    }
}

fn pairs(node: &Node) -> Result<Vec<KeyValue>, Wrong> {
    Flags::none(node)?;
    if node.pairs.is_empty() {
        return at_least_one(node);
    }
    match node.pairs.iter().find(|pair| pair.key.text.is_empty()) {
        Some(pair) => Err((format!("{} names can not be blank", node.name()), pair.value.clone())),
        None => Ok(node.pairs.clone()),
    }
}

fn shell(node: &Node) -> Result<Vec<Word>, Wrong> {
    Flags::none(node)?;
    if node.args.is_empty() {
        return at_least_one(node);
    }
    if !node.json {
        return wrong(node, "SHELL requires the arguments to be in JSON form");
    }
    Ok(node.args.clone())
}

fn volume(node: &Node) -> Result<Vec<Word>, Wrong> {
    if node.args.is_empty() {
        return at_least_one(node);
    }
    Flags::none(node)?;
    node.args
        .iter()
        .map(|word| match word.text.trim() {
            "" => Err(("VOLUME specified can not be an empty string".to_owned(), word.clone())),
            path => Ok(word.with(path)),
        })
        .collect()
}

fn onbuild(node: &Node) -> Result<Onbuild, Wrong> {
    let Some(trigger) = &node.trigger else { return at_least_one(node) };
    Flags::none(node)?;
    match trigger.name().as_str() {
        "ONBUILD" => return wrong(node, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        name @ ("MAINTAINER" | "FROM") => {
            return wrong(node, format!("{name} isn't allowed as an ONBUILD trigger"));
        }
        _ => {}
    }
    let mut expression = trigger.text.clone();
    for heredoc in &node.heredocs {
        expression.push('\n');
        expression.push_str(&heredoc.content);
        expression.push_str(&heredoc.name);
    }
    Ok(Onbuild { expression, trigger: instruction(trigger).ok().map(Box::new) })
}

fn from(node: &Node) -> Result<Stage, Wrong> {
    let (from, as_keyword, name) = match node.args.as_slice() {
        [from] => (from, None, None),
        [from, keyword, name] if keyword.text.eq_ignore_ascii_case("as") => {
            let lower = name.text.to_lowercase();
            let mut chars = lower.chars();
            let valid = chars.next().is_some_and(|ch| ch.is_ascii_lowercase())
                && chars.all(|ch| matches!(ch, 'a'..='z' | '0'..='9' | '-' | '_' | '.'));
            if !valid {
                let title = format!(
                    "invalid name for build stage: {}, name can't start with a number or contain symbols",
                    quote(&name.text)
                );
                return Err((title, name.clone()));
            }
            (from, Some(keyword.clone()), Some(name.with(lower)))
        }
        _ => return wrong(node, "FROM requires either one or three arguments"),
    };
    let flags = Flags::parse(node, &[("platform", Kind::Text)])?;
    Ok(Stage {
        name,
        as_keyword,
        from: from.clone(),
        platform: flags.text("platform"),
        instructions: Vec::new(),
        span: node.span,
        lines: node.lines,
        keyword: node.keyword.clone(),
        text: node.text.clone(),
        comments: node.comments.clone(),
    })
}
