//! Expansion of whole instructions: the table at [`Instruction`], in code.
use std::collections::BTreeSet;

use plimsoll_source::{Diagnostic, Source, Span};

use crate::{
    Add, Copy, Env, ExpandError, Expanded, InlineFile, Instruction, KeyValue, Transfer, Word, expand,
    expand_heredoc,
};

/// An instruction with its words expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The instruction; words that the table at [`Instruction`] names hold their values now.
    pub instruction: Instruction,
    /// The variables that were used and set.
    pub matched: BTreeSet<String>,
    /// The variables that were used and not set, with the words that use them, in order.
    pub unset: Vec<(String, Span)>,
}

/// A word of an instruction that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct EvaluateError {
    /// Why the word cannot be expanded.
    #[source]
    pub error: ExpandError,
    /// The place of the word in the file.
    pub span: Span,
}

impl EvaluateError {
    /// The error as a message.
    pub fn diagnostic(&self, source: &Source) -> Diagnostic {
        Diagnostic::error(self.error.to_string()).label(source, self.span, "")
    }
}

impl Instruction {
    /// Expands the words that this instruction expands, with the values from before it. ARG and RUN stay as they
    /// are: see [`crate::ArgDefinition::value_in_stage`] and [`crate::MountSpec::resolve`].
    pub fn expand(&self, env: &Env<'_>, escape: char) -> Result<Evaluated, EvaluateError> {
        let mut evaluator = Evaluator { env, escape, matched: BTreeSet::new(), unset: Vec::new() };
        let instruction = evaluator.instruction(self)?;
        Ok(Evaluated { instruction, matched: evaluator.matched, unset: evaluator.unset })
    }
}

struct Evaluator<'e> {
    env: &'e Env<'e>,
    escape: char,
    matched: BTreeSet<String>,
    unset: Vec<(String, Span)>,
}

impl Evaluator<'_> {
    fn instruction(&mut self, instruction: &Instruction) -> Result<Instruction, EvaluateError> {
        Ok(match instruction {
            Instruction::Add(add) => Instruction::Add(Add {
                checksum: self.optional(add.checksum.as_ref())?,
                transfer: self.transfer(&add.transfer)?,
                ..*add
            }),
            Instruction::Copy(copy) => Instruction::Copy(Copy {
                from: copy.from.clone(),
                parents: copy.parents,
                transfer: self.transfer(&copy.transfer)?,
            }),
            Instruction::Env(pairs) => Instruction::Env(self.pairs(pairs)?),
            Instruction::Label(pairs) => Instruction::Label(self.pairs(pairs)?),
            Instruction::Expose(ports) => {
                let mut words = Vec::new();
                for port in ports {
                    let expanded = self.expand(port)?;
                    words.extend(expanded.words.into_iter().map(|text| port.with(text)));
                }
                Instruction::Expose(words)
            }
            Instruction::Stopsignal(word) => Instruction::Stopsignal(self.word(word)?),
            Instruction::User(word) => Instruction::User(self.word(word)?),
            Instruction::Volume(words) => Instruction::Volume(self.words(words)?),
            Instruction::Workdir(word) => Instruction::Workdir(self.word(word)?),
            Instruction::Arg(_)
            | Instruction::Cmd(_)
            | Instruction::Entrypoint(_)
            | Instruction::Healthcheck(_)
            | Instruction::Maintainer(_)
            | Instruction::Onbuild(_)
            | Instruction::Run(_)
            | Instruction::Shell(_) => instruction.clone(),
        })
    }

    fn transfer(&mut self, transfer: &Transfer) -> Result<Transfer, EvaluateError> {
        Ok(Transfer {
            chown: self.optional(transfer.chown.as_ref())?,
            chmod: self.optional(transfer.chmod.as_ref())?,
            link: transfer.link,
            excludes: self.words(&transfer.excludes)?,
            sources: self.words(&transfer.sources)?,
            files: transfer.files.iter().map(|file| self.file(file)).collect::<Result<_, _>>()?,
            dest: self.word(&transfer.dest)?,
        })
    }

    fn file(&mut self, file: &InlineFile) -> Result<InlineFile, EvaluateError> {
        if !file.expand {
            return Ok(file.clone());
        }
        let expanded = expand_heredoc(&file.content, self.env);
        let expanded = self.note(expanded, &file.word)?;
        Ok(InlineFile { content: expanded.text, ..file.clone() })
    }

    fn pairs(&mut self, pairs: &[KeyValue]) -> Result<Vec<KeyValue>, EvaluateError> {
        pairs
            .iter()
            .map(|pair| {
                Ok(KeyValue {
                    key: self.word(&pair.key)?,
                    value: self.word(&pair.value)?,
                    legacy: pair.legacy,
                })
            })
            .collect()
    }

    fn words(&mut self, words: &[Word]) -> Result<Vec<Word>, EvaluateError> {
        words.iter().map(|word| self.word(word)).collect()
    }

    fn optional(&mut self, word: Option<&Word>) -> Result<Option<Word>, EvaluateError> {
        word.map(|word| self.word(word)).transpose()
    }

    fn word(&mut self, word: &Word) -> Result<Word, EvaluateError> {
        self.expand(word).map(|expanded| word.with(expanded.text))
    }

    fn expand(&mut self, word: &Word) -> Result<Expanded, EvaluateError> {
        let expanded = expand(&word.text, self.env, self.escape);
        self.note(expanded, word)
    }

    fn note(
        &mut self,
        expanded: Result<Expanded, ExpandError>,
        word: &Word,
    ) -> Result<Expanded, EvaluateError> {
        let mut expanded = expanded.map_err(|error| EvaluateError { error, span: word.span })?;
        self.matched.append(&mut expanded.matched);
        self.unset.extend(expanded.unmatched.iter().map(|name| (name.clone(), word.span)));
        Ok(expanded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn each_instruction_expands_what_it_should() {
        let text = "FROM a\nCOPY --from=$V --chown=$V:1 --chmod=$V --exclude=$V $V \"a-$V\" <<F <<'G' /$V/\n'$V'\nF\n$V\nG\n\
            ENV $V=$V A='$V'\nEXPOSE $P\nRUN echo $V\nCMD [\"$V\"]\nUSER ${V:-x}${NONE}\n";
        let dockerfile = parse(&Source::new("Dockerfile", text)).unwrap();
        let env = |name: &str| match name {
            "V" => Some("v".to_owned()),
            "P" => Some("80 81/udp".to_owned()),
            _ => None,
        };
        let shown: Vec<String> = dockerfile.stages[0]
            .instructions
            .iter()
            .map(|statement| {
                let evaluated = statement.value.expand(&env, '\\').unwrap();
                match evaluated.instruction {
                    Instruction::Copy(copy) => {
                        let transfer = copy.transfer;
                        let texts =
                            |words: &[Word]| words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
                        format!(
                            "COPY {:?} {:?} {:?} {:?} {:?} {:?} {}",
                            copy.from.map(|word| word.text),
                            transfer.chown.map(|word| word.text),
                            transfer.chmod.map(|word| word.text),
                            texts(&transfer.excludes),
                            texts(&transfer.sources),
                            transfer.files.iter().map(|file| file.content.clone()).collect::<Vec<_>>(),
                            transfer.dest.text
                        )
                    }
                    Instruction::Env(pairs) => {
                        let pairs =
                            pairs.iter().map(|pair| format!(" {}={}", pair.key.text, pair.value.text));
                        format!("ENV{}", pairs.collect::<String>())
                    }
                    Instruction::Expose(ports) => {
                        format!("EXPOSE {:?}", ports.iter().map(|port| port.as_str()).collect::<Vec<_>>())
                    }
                    Instruction::User(user) => format!("USER {} ({:?})", user.text, evaluated.unset),
                    other => format!("{} {}", other.keyword(), other == statement.value),
                }
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        COPY Some("$V") Some("v:1") Some("v") ["v"] ["v", "a-v"] ["'v'\n", "$V\n"] /v/
        ENV v=v A=$V
        EXPOSE ["80", "81/udp"]
        RUN true
        CMD true
        USER v ([("NONE", Span { start: 151, end: 165 })])
        "#);
    }
}
