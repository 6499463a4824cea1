//! COPY and ADD.

use plimsoll_dockerfile::{Add, Copy, Transfer, path::clean};
use plimsoll_image::Digest;
use plimsoll_source::Diagnostic;

use super::{Instructed, Lowerer, state::State};
use crate::{
    chmod::Chmod,
    git_url::GitUrl,
    graph::{CopyOp, Download, Op, TreeRef},
};

impl Lowerer<'_> {
    pub(super) fn copy(
        &mut self,
        state: &mut State,
        copy: &Copy,
        at: &Instructed<'_>,
    ) -> Result<(), Diagnostic> {
        let from = match &copy.from {
            None => TreeRef::Context(String::new()),
            Some(from) => {
                let source = self
                    .file
                    .copy_source(&from.text)
                    .map_err(|title| Diagnostic::error(title).label(at.source, from.span, ""))?;
                self.tree(source, &state.platform, at)?
            }
        };
        for source in &copy.transfer.sources {
            let is_git = source.text.contains("://") && GitUrl::parse(&source.text).is_some();
            if is_git || source.text.starts_with("http://") || source.text.starts_with("https://") {
                let kind = if is_git { "git repository" } else { "URL" };
                return Err(Diagnostic::error(format!("source can't be a {kind} for COPY"))
                    .label(at.source, source.span, "")
                    .hint(format!(
                        "ADD fetches addresses: ADD {} {}",
                        source.text, copy.transfer.dest.text
                    )));
            }
        }
        let mut op = transfer(state, &copy.transfer, at)?;
        op.from = from;
        op.parents = copy.parents;
        op.paths = copy.transfer.sources.iter().map(|word| source_path(&word.text, copy.parents)).collect();
        let text = transfer_text("COPY", &copy.transfer, copy.parents);
        self.finish_transfer(state, op, text, at);
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        state: &mut State,
        add: &Add,
        at: &Instructed<'_>,
    ) -> Result<(), Diagnostic> {
        let mut op = transfer(state, &add.transfer, at)?;
        op.unpack = add.unpack.unwrap_or(true);
        for word in &add.transfer.sources {
            let url = &word.text;
            let checksum = add.checksum.as_ref().map(|word| word.text.clone());
            if let Some(git) = GitUrl::parse(url) {
                let wrong = |title: String| Diagnostic::error(title).label(at.source, word.span, "");
                let mut git = git.map_err(|error| wrong(error.to_string()))?;
                git.checksum = checksum.or(git.checksum);
                git.keep_git_dir = add.keep_git_dir.or(git.keep_git_dir);
                op.downloads.push(Download::Git(git));
            } else if url.starts_with("http://") || url.starts_with("https://") {
                if let (Some(word), Some(text)) = (&add.checksum, &checksum)
                    && Digest::parse(text).is_err()
                {
                    let title = format!("`{text}` is no checksum of a download");
                    return Err(Diagnostic::error(title).label(at.source, word.span, "").hint(
                        "write --checksum=sha256:HEX with 64 digits; no other algorithm is supported",
                    ));
                }
                let unpack = add.unpack == Some(true);
                op.downloads.push(Download::Http { url: url.clone(), checksum, unpack });
            } else {
                op.paths.push(source_path(url, false));
            }
        }
        if add.checksum.is_some() && op.downloads.is_empty() {
            return Err(at.problem("checksum requires HTTP(S) or Git sources"));
        }
        let text = transfer_text("ADD", &add.transfer, false);
        self.finish_transfer(state, op, text, at);
        Ok(())
    }

    fn finish_transfer(&mut self, state: &mut State, op: CopyOp, text: String, at: &Instructed<'_>) {
        let node = self.push(Op::Copy(op), state.node, at);
        state.node = Some(node);
        state.note(text, Some(node));
    }
}

fn transfer(state: &State, transfer: &Transfer, at: &Instructed<'_>) -> Result<CopyOp, Diagnostic> {
    let chmod = match &transfer.chmod {
        None => None,
        Some(word) => Some(Chmod::parse(&word.text).ok_or_else(|| {
            let title = format!(
                "invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777",
                word.text
            );
            Diagnostic::error(title)
                .label(at.source, word.span, "")
                .hint("write it in octal (0644) or symbolic (u=rwX,go=rX)")
        })?),
    };
    let dest = state.absolute(&transfer.dest.text);
    Ok(CopyOp {
        from: TreeRef::Context(String::new()),
        paths: Vec::new(),
        files: transfer.files.iter().map(|file| (file.name.clone(), file.content.clone())).collect(),
        downloads: Vec::new(),
        dest,
        chown: transfer.chown.as_ref().map(|word| word.text.clone()),
        chmod,
        link: transfer.link,
        parents: false,
        excludes: transfer.excludes.iter().map(|word| word.text.clone()).collect(),
        unpack: false,
    })
}

/// A source inside its tree: absolute and clean, so that it cannot lead above the root. With `--parents` a `/./`
/// stays, because it says where the kept part of the path begins.
fn source_path(path: &str, parents: bool) -> String {
    match path.split_once("/./") {
        Some((before, after)) if parents => {
            format!(
                "{}/./{}",
                clean(&format!("/{before}")).trim_end_matches('/'),
                clean(&format!("/{after}")).trim_start_matches('/')
            )
        }
        _ => clean(&format!("/{path}")),
    }
}

/// The history text of COPY and ADD: three flags, as BuildKit has them, the sources, the destination.
fn transfer_text(keyword: &str, transfer: &Transfer, parents: bool) -> String {
    let mut text = keyword.to_owned();
    if parents {
        text.push_str(" --parents");
    }
    if let Some(chown) = &transfer.chown {
        text.push_str(&format!(" --chown={}", chown.text));
    }
    if let Some(chmod) = &transfer.chmod {
        text.push_str(&format!(" --chmod={}", chmod.text));
    }
    for source in &transfer.sources {
        text.push_str(&format!(" {}", source.text));
    }
    for file in &transfer.files {
        text.push_str(&format!(" <<{}", file.name));
    }
    text.push_str(&format!(" {} # buildkit", transfer.dest.text));
    text
}
