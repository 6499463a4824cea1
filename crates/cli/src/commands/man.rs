//! `plimsoll man`: the manual pages, for whoever makes a package of Plimsoll.

use std::{fs, io, path::PathBuf, process::ExitCode};

use clap_mangen::Man;
use plimsoll_ops::Failure;

/// Write the manual pages into a folder, one for each verb
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder; it is made if it does not exist
    dir: PathBuf,
}

/// Needs no file and no engine.
pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let pages = pages()?;
    fs::create_dir_all(&args.dir).map_err(|error| Failure::cannot_write(&args.dir, &error))?;
    for (name, text) in pages {
        let path = args.dir.join(name);
        fs::write(&path, text).map_err(|error| Failure::cannot_write(&path, &error))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// File names and texts: `plimsoll.1`, `plimsoll-up.1`, `plimsoll-image-build.1` and the others.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = super::visible().disable_help_subcommand(true);
    // gives verbs of verbs their full names
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

fn add(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let page = Man::new(command.clone())
        .source(concat!("plimsoll ", env!("CARGO_PKG_VERSION")))
        // an empty date would be left out, and what stands behind it would be taken for the date
        .date(" ")
        .manual("Plimsoll");
    let mut text = Vec::new();
    page.render(&mut text)?;
    pages.push((page.get_filename(), text));
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).try_for_each(|verb| add(verb, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_a_page_that_says_what_the_verb_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("man/man1");
        run(Args { dir: dir.clone() }).expect("the pages are written");
        let read = |name: &str| {
            fs::read_to_string(dir.join(format!("{name}.1")))
                .unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        for verb in super::super::visible().get_subcommands() {
            let page = read(&format!("plimsoll-{}", verb.get_name()));
            // roff writes a hyphen as `\-`
            let name = format!("plimsoll\\-{} \\- ", verb.get_name());
            assert!(page.contains(".SH NAME\n") && page.contains(&name), "{page}");
            assert!(page.contains(concat!("\"plimsoll ", env!("CARGO_PKG_VERSION"), "\"")), "{page}");
        }
        assert!(read("plimsoll-up").contains("Bring the stack up"));
        assert!(read("plimsoll").contains("plimsoll\\-verify(1)"));
        assert!(read("plimsoll-image-build").contains("\\-\\-secret"));
        for hidden in ["alpha", "man", "watch", "help", "image-help"] {
            assert!(!dir.join(format!("plimsoll-{hidden}.1")).exists(), "{hidden}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        let error = run(Args { dir: file.join("man") }).expect_err("a file is no folder");
        assert!(error.diagnostics[0].title.contains("file/man"), "{error:?}");
    }
}
