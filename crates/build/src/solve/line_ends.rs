//! Windows line ends in what a failed RUN was to execute: shells and the kernel take the `\r` for a part of a name, and
//! what they then say does not show it.

use std::{collections::BTreeSet, fs::File, io::Read as _, path::Path};

use crate::{
    graph::RunOp,
    tree::{Kind, Tree},
};

/// Paths of one command that are looked at.
const MAX_PATHS: usize = 64;
/// Bytes of a script that are looked at.
const MAX_SCRIPT: u64 = 256 << 10;

/// A sentence about the first script with Windows line ends that `op` names: its own text, or a file of `tree`.
pub(super) fn of_windows(op: &RunOp, tree: &Tree) -> Option<String> {
    let heredoc = op.script.iter().map(|(_, text)| text);
    if heredoc.chain(&op.argv).any(|text| text.contains("\r\n")) {
        return Some(
            "lines of the command end in \\r\\n: the shell takes the \\r as a part of the last word"
                .to_owned(),
        );
    }
    let ends = |ch: char| ch.is_whitespace() || ";&|()<>\"'`=".contains(ch);
    let words: BTreeSet<&str> = op.argv.iter().flat_map(|text| text.split(ends)).collect();
    let names = words.into_iter().filter(|word| word.contains('/') || is_shell(word));
    names.take(MAX_PATHS).find_map(|name| script(name, &Path::new(&op.cwd).join(name), tree))
}

fn script(name: &str, path: &Path, tree: &Tree) -> Option<String> {
    let node = tree.lookup(path, true).ok()?.filter(|node| node.kind == Kind::File)?;
    let mut text = Vec::new();
    File::open(&node.host).ok()?.take(MAX_SCRIPT).read_to_end(&mut text).ok()?;
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match first.strip_prefix(b"#!") {
        Some(interpreter) if interpreter.ends_with(b"\r") => Some(format!(
            "the lines of {name} end in \\r\\n: the kernel looks for an interpreter that is called `{}`",
            String::from_utf8_lossy(interpreter).trim_start().escape_debug()
        )),
        None if !is_shell(name) => None,
        _ if text.windows(2).any(|pair| pair == b"\r\n") => {
            Some(format!("lines of {name} end in \\r\\n: the shell takes the \\r as a part of the last word"))
        }
        _ => None,
    }
}

/// Whether a file is a script of a shell by its name.
fn is_shell(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sh"))
}
