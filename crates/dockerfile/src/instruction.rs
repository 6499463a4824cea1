use std::time::Duration;

use crate::{Heredoc, MountSpec, Word};

/// Every instruction but FROM, which is a [`crate::Stage`].
///
/// # What is expanded, when, and with what
///
/// Nothing is expanded while parsing. [`Instruction::expand`] applies these rules; the environment is the ENV and
/// the ARG values of the stage so far, and each instruction sees the values from *before* itself.
///
/// | instruction | expanded words |
/// |---|---|
/// | ADD, COPY | `--chown`, `--chmod`, `--exclude`, `--checksum`, sources, destination; never `--from`. Inline files whose delimiter is unquoted: variables only, quotes kept |
/// | ARG | the value only, and only when no `--build-arg` overrides it |
/// | ENV, LABEL | keys and values |
/// | EXPOSE | each word, and the result is split at spaces |
/// | STOPSIGNAL, USER, VOLUME, WORKDIR | every word |
/// | RUN | only the values in `--mount` but `from` ([`MountSpec::resolve`]); the command is the shell's |
/// | CMD, ENTRYPOINT, HEALTHCHECK, MAINTAINER, ONBUILD, SHELL | nothing |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `ADD [flags] SRC... DEST`
    Add(Add),
    /// `ARG NAME[=DEFAULT]...`
    Arg(Arg),
    /// `CMD ...`
    Cmd(CommandLine),
    /// `COPY [flags] SRC... DEST`
    Copy(Copy),
    /// `ENTRYPOINT ...`
    Entrypoint(CommandLine),
    /// `ENV K=V...` or `ENV K V`
    Env(Vec<KeyValue>),
    /// `EXPOSE PORT[/PROTO]...`, **sorted** as BuildKit does; read the expanded words with [`crate::parse_port`].
    Expose(Vec<Word>),
    /// `HEALTHCHECK ...`
    Healthcheck(Healthcheck),
    /// `LABEL K=V...` or `LABEL K V`
    Label(Vec<KeyValue>),
    /// `MAINTAINER TEXT`
    Maintainer(Word),
    /// `ONBUILD INSTRUCTION`
    Onbuild(Onbuild),
    /// `RUN [flags] ...`
    Run(Run),
    /// `SHELL ["program", "arg"]`; the words are the decoded JSON strings, never empty.
    Shell(Vec<Word>),
    /// `STOPSIGNAL SIGNAL`
    Stopsignal(Word),
    /// `USER USER[:GROUP]`
    User(Word),
    /// `VOLUME PATH...` or `VOLUME ["PATH", ...]`, never empty.
    Volume(Vec<Word>),
    /// `WORKDIR PATH`
    Workdir(Word),
}

impl Instruction {
    /// The keyword in upper case.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Add(_) => "ADD",
            Self::Arg(_) => "ARG",
            Self::Cmd(_) => "CMD",
            Self::Copy(_) => "COPY",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Env(_) => "ENV",
            Self::Expose(_) => "EXPOSE",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Label(_) => "LABEL",
            Self::Maintainer(_) => "MAINTAINER",
            Self::Onbuild(_) => "ONBUILD",
            Self::Run(_) => "RUN",
            Self::Shell(_) => "SHELL",
            Self::Stopsignal(_) => "STOPSIGNAL",
            Self::User(_) => "USER",
            Self::Volume(_) => "VOLUME",
            Self::Workdir(_) => "WORKDIR",
        }
    }
}

/// A command: for the shell, or to be executed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Text for the stage's SHELL (default `/bin/sh -c`), one argument, unexpanded.
    Shell(Word),
    /// The decoded strings of a JSON array, to be executed without a shell. May be empty: `CMD []`.
    Exec(Vec<Word>),
}

/// `ENV` or `LABEL`: one key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key, unexpanded.
    pub key: Word,
    /// The value, unexpanded, quotes still in it.
    pub value: Word,
    /// Written as `KEY value`, without `=`.
    pub legacy: bool,
}

/// `ARG`: one or more definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The definitions, in order; each sees those before it.
    pub definitions: Vec<ArgDefinition>,
}

/// One `NAME` or `NAME=DEFAULT` of an ARG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgDefinition {
    /// The name, used as it is.
    pub name: Word,
    /// The default value, unexpanded; `None` for a bare name, which takes a build argument or the global value.
    pub value: Option<Word>,
}

/// What `COPY` says, unexpanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// `--from`: a stage name, a stage number, an image or a named context. Never expanded; see
    /// [`crate::StageGraph`].
    pub from: Option<Word>,
    /// `--parents`: keep the directories of each source (behind a `/./` if there is one).
    pub parents: bool,
    /// What COPY and ADD share.
    pub transfer: Transfer,
}

/// What `ADD` says, unexpanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// `--keep-git-dir`, `None` when not given.
    pub keep_git_dir: Option<bool>,
    /// `--checksum`: of an HTTP download (`sha256:...`) or a Git commit.
    pub checksum: Option<Word>,
    /// `--unpack`: whether archives are unpacked; `None` means local ones are and downloads are not.
    pub unpack: Option<bool>,
    /// What COPY and ADD share.
    pub transfer: Transfer,
}

/// What COPY and ADD share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// `--chown=USER[:GROUP]`
    pub chown: Option<Word>,
    /// `--chmod`: octal (`0644`) or symbolic (`u=rwX,go=rX`).
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--exclude`, in order; .dockerignore patterns.
    pub excludes: Vec<Word>,
    /// The sources that are paths (or URLs), in order. Empty when all sources are inline files.
    pub sources: Vec<Word>,
    /// The sources that are heredocs: `COPY <<a.conf /etc/`. They come after `sources`.
    pub files: Vec<InlineFile>,
    /// The destination, unexpanded; a slash at its end means a directory.
    pub dest: Word,
}

/// A heredoc that is copied as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineFile {
    /// The file's name: the delimiter without quotes.
    pub name: String,
    /// The text, leading tabs already removed for `<<-`.
    pub content: String,
    /// Whether variables in it are expanded (the delimiter was not quoted); see [`crate::expand_heredoc`].
    pub expand: bool,
    /// The `<<NAME` word.
    pub word: Word,
}

/// What `RUN` says, unexpanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// `--mount`, in order, not yet expanded: [`MountSpec::resolve`] gives a [`crate::Mount`].
    pub mounts: Vec<MountSpec>,
    /// `--network`
    pub network: Network,
    /// `--security`
    pub security: Security,
    /// `--device`, in order.
    pub devices: Vec<Device>,
    /// The command, as a list, a line or a script.
    pub form: RunForm,
}

/// What a RUN runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunForm {
    /// Text for the shell.
    Shell(Word),
    /// A JSON array, executed without a shell.
    Exec(Vec<Word>),
    /// `RUN <<EOF`: the heredoc alone, `content` with leading tabs removed for `<<-`. If it starts with `#!` it is
    /// run as an executable file (BuildKit mounts it as `/dev/pipes/NAME`), otherwise it is the text for the shell.
    /// It is never expanded by the builder.
    Script(Heredoc),
    /// `RUN python3 - <<A && cat <<B`: the shell handles the heredocs; see [`RunForm::shell_text`].
    ShellWithHeredocs {
        /// The command line, in which each `<<NAME` stands for a heredoc.
        command: Word,
        /// The heredocs, in order, with their raw bodies.
        heredocs: Vec<Heredoc>,
    },
}

impl RunForm {
    /// The one argument to append to the stage's SHELL; `None` for [`RunForm::Exec`] and for a script that starts
    /// with `#!`.
    pub fn shell_text(&self) -> Option<String> {
        match self {
            Self::Shell(word) => Some(word.text.clone()),
            Self::Exec(_) => None,
            Self::Script(heredoc) if heredoc.content.starts_with("#!") => None,
            Self::Script(heredoc) => Some(heredoc.content.clone()),
            Self::ShellWithHeredocs { command, heredocs } => {
                let mut text = command.text.clone();
                for heredoc in heredocs {
                    text.push('\n');
                    text.push_str(&heredoc.content);
                    text.push_str(&heredoc.name);
                }
                Some(text)
            }
        }
    }
}

/// `RUN --network`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// As the build says.
    #[default]
    Default,
    /// No network.
    None,
    /// The host's network; needs an entitlement.
    Host,
}

/// `RUN --security`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Confined.
    #[default]
    Sandbox,
    /// With all privileges; needs an entitlement.
    Insecure,
}

/// `RUN --device=NAME[,required]`: a CDI device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The CDI name, `vendor.com/class=name` or a class.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
    /// The flag's value.
    pub word: Word,
}

/// What `HEALTHCHECK` says, unexpanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `HEALTHCHECK NONE`: switches the base image's check off.
    None,
    /// `HEALTHCHECK [flags] CMD ...`. `None` and zero both mean "inherit or default".
    Check {
        /// `--interval`
        interval: Option<Duration>,
        /// `--timeout`
        timeout: Option<Duration>,
        /// `--start-period`
        start_period: Option<Duration>,
        /// `--start-interval`
        start_interval: Option<Duration>,
        /// `--retries`
        retries: Option<u32>,
        /// The command: `CMD-SHELL` for the shell form, `CMD` for the JSON form. Never empty.
        command: CommandLine,
    },
}

/// `ONBUILD INSTRUCTION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// The trigger as the image config keeps it in `OnBuild`: the logical line after ONBUILD with its heredocs.
    /// [`crate::parse_trigger`] reads it back.
    pub expression: String,
    /// The trigger, typed; `None` when it does not parse on its own, which BuildKit reports only when it fires.
    pub trigger: Option<Box<Instruction>>,
}
