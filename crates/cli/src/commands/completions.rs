//! `plimsoll completions`: scripts that let a shell complete verbs and options.

use std::process::ExitCode;

use clap_complete::{Shell, generate};
use plimsoll_ops::Failure;

/// Where each shell looks.
const PLACES: &str = "\
Where the script goes:
  bash        ~/.local/share/bash-completion/completions/plimsoll
  elvish      in ~/.config/elvish/rc.elv: eval (plimsoll completions elvish | slurp)
  fish        ~/.config/fish/completions/plimsoll.fish
  powershell  in $PROFILE: plimsoll completions powershell | Out-String | Invoke-Expression
  zsh         _plimsoll in a folder of $fpath";

/// Print the script that lets a shell complete verbs and options
#[derive(clap::Args)]
#[command(after_help = PLACES)]
pub(crate) struct Args {
    /// The shell that reads the script
    shell: Shell,
}

/// Needs no file and no engine.
pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    print!("{}", script(args.shell));
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut super::visible(), "plimsoll", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    /// What bash offers behind these words; the last one is being typed.
    fn offered(words: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plimsoll");
        fs::write(&path, script(Shell::Bash)).expect("the script is written");
        let (last, before) = words.split_last().expect("words");
        let call = format!(
            "source {path} && COMP_WORDS=({words}) COMP_CWORD={at} && _plimsoll plimsoll '{last}' '{previous}' && \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            path = path.display(),
            words = words.join(" "),
            at = before.len(),
            previous = before.last().expect("a word before the last"),
        );
        let output = Command::new("bash").args(["--norc", "-c", &call]).output().expect("bash starts");
        assert!(output.status.success(), "{call}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_accepts_the_script_and_offers_verbs_and_options() {
        assert_eq!(offered(&["plimsoll", "ver"]), ["verify", "version"]);
        assert_eq!(offered(&["plimsoll", "image", "bu"]), ["build"]);
        assert_eq!(offered(&["plimsoll", "completions", "e"]), ["elvish"]);
        assert!(offered(&["plimsoll", "verify", "--no-d"]).contains(&"--no-disturb".to_owned()));
    }

    #[test]
    fn every_shell_knows_the_verbs_that_help_lists() {
        type Way = fn(&str) -> String;
        let ways: [(Shell, Way); 5] = [
            (Shell::Bash, |verb| format!("plimsoll,{verb})")),
            (Shell::Elvish, |verb| format!("cand {verb} '")),
            (Shell::Fish, |verb| format!("-a \"{verb}\"")),
            (Shell::PowerShell, |verb| format!("'{verb}', '{verb}'")),
            (Shell::Zsh, |verb| format!("({verb})\n")),
        ];
        for (shell, way) in ways {
            let script = script(shell);
            for verb in super::super::visible().get_subcommands() {
                assert!(script.contains(&way(verb.get_name())), "{shell}: {}", verb.get_name());
            }
            for hidden in ["alpha", "man", "watch"] {
                assert!(!script.contains(&way(hidden)), "{shell}: {hidden}");
            }
        }
    }
}
