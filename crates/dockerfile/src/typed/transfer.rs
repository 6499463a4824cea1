//! COPY and ADD.
use std::collections::HashMap;

use super::{
    Wrong,
    flags::{Flags, Kind},
    wrong,
};
use crate::{
    Add, Copy, Heredoc, InlineFile, Transfer,
    syntax::{Node, parse_marker},
};

const SHARED: [(&str, Kind); 4] =
    [("chown", Kind::Text), ("chmod", Kind::Text), ("link", Kind::Switch), ("exclude", Kind::Texts)];

pub(super) fn copy(node: &Node) -> Result<Copy, Wrong> {
    need_two(node)?;
    let [a, b, c, d] = SHARED;
    let flags = Flags::parse(node, &[a, b, c, d, ("from", Kind::Text), ("parents", Kind::Switch)])?;
    Ok(Copy {
        from: flags.text("from"),
        parents: flags.switch("parents").unwrap_or(false),
        transfer: transfer(node, &flags)?,
    })
}

pub(super) fn add(node: &Node) -> Result<Add, Wrong> {
    need_two(node)?;
    let [a, b, c, d] = SHARED;
    let own = [("keep-git-dir", Kind::Switch), ("checksum", Kind::Text), ("unpack", Kind::Switch)];
    let flags = Flags::parse(node, &[a, b, c, d, own[0], own[1], own[2]])?;
    Ok(Add {
        keep_git_dir: flags.switch("keep-git-dir"),
        checksum: flags.text("checksum"),
        unpack: flags.switch("unpack"),
        transfer: transfer(node, &flags)?,
    })
}

fn need_two(node: &Node) -> Result<(), Wrong> {
    if node.args.len() >= 2 {
        return Ok(());
    }
    let title = format!(
        "{} requires at least two arguments, but only one was provided. Destination could not be determined",
        node.name()
    );
    match node.args.first() {
        Some(word) => Err((title, word.clone())),
        None => wrong(node, title),
    }
}

fn transfer(node: &Node, flags: &Flags<'_>) -> Result<Transfer, Wrong> {
    let (mut sources, mut files) = (Vec::new(), Vec::new());
    // `need_two` was called first.
    let Some((dest, words)) = node.args.split_last() else { return wrong(node, "no destination") };
    let marker = |word| if node.json { None } else { parse_marker(word) };
    if marker(dest).is_some() {
        return Err((format!("{} cannot accept a heredoc as a destination", node.name()), dest.clone()));
    }
    // Of two heredocs with one name the last one counts, as in BuildKit.
    let bodies: HashMap<&str, &Heredoc> =
        node.heredocs.iter().map(|heredoc| (heredoc.name.as_str(), heredoc)).collect();
    for word in words {
        let Some(marker) = marker(word) else {
            sources.push(word.clone());
            continue;
        };
        files.push(InlineFile {
            content: bodies.get(marker.name.as_str()).map(|body| body.chomped()).unwrap_or_default(),
            name: marker.name,
            expand: marker.expand,
            word: word.clone(),
        });
    }
    Ok(Transfer {
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.switch("link").unwrap_or(false),
        excludes: flags.texts("exclude"),
        sources,
        files,
        dest: dest.clone(),
    })
}
