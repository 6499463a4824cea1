//! Addresses of git repositories as BuildKit reads them: `URL#ref:subdir` and `URL?ref=…&subdir=…`.

/// A part of a git repository.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GitUrl {
    /// The address that git is given, without reference and directory.
    pub remote: String,
    /// A branch, a tag or a commit; the default branch without it.
    pub reference: Option<String>,
    /// A directory in it, relative, without `..`.
    pub subdir: String,
    /// What the commit's id must begin with.
    pub checksum: Option<String>,
    /// The `.git` directory stays.
    pub keep_git_dir: Option<bool>,
    /// Submodules are fetched as well.
    pub submodules: bool,
}

/// An address of a git repository that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid git address `{url}`: {reason}")]
pub struct GitUrlError {
    /// The address as it was written, without its password.
    pub url: String,
    /// What is wrong with it, for a message.
    pub reason: String,
}

impl GitUrl {
    /// Reads an address; `None` when it is none of a git repository (`http…` without `.git` is a file).
    ///
    /// # Errors
    /// When it is one, and its query or its reference cannot be used.
    pub fn parse(url: &str) -> Option<Result<Self, GitUrlError>> {
        let (address, fragment) = url.split_once('#').map_or((url, None), |(url, part)| (url, Some(part)));
        let (path, query) = address.split_once('?').map_or((address, None), |(url, part)| (url, Some(part)));
        let is_http = path.starts_with("http://") || path.starts_with("https://");
        let lower = path.to_ascii_lowercase();
        let named_git = lower.trim_end_matches('/').rsplit_once('.').is_some_and(|(_, end)| end == "git");
        let other = ["git://", "ssh://"].iter().any(|scheme| path.starts_with(scheme)) || is_scp(path);
        let remote = if other || (is_http && named_git) {
            path.to_owned()
        } else if let Some(rest) = path.strip_prefix("git+").filter(|rest| rest.contains("://")) {
            rest.to_owned()
        } else if path.starts_with("github.com/") {
            format!("https://{path}")
        } else {
            return None;
        };
        let wrong = |reason: String| GitUrlError { url: without_password(url), reason };
        Some(Self { remote, submodules: true, ..Self::default() }.with(query, fragment).map_err(wrong))
    }

    fn with(mut self, query: Option<&str>, fragment: Option<&str>) -> Result<Self, String> {
        if let Some(fragment) = fragment {
            let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
            self.reference = Some(reference.to_owned()).filter(|text| !text.is_empty());
            self.set_subdir(subdir)?;
        }
        for field in query.unwrap_or_default().split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap_or((field, "true"));
            let value = decode(value)?;
            let boolean = || match value.as_str() {
                "true" | "1" | "" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(format!("`{name}` is true or false, not `{value}`")),
            };
            match name {
                "ref" | "branch" | "tag" if self.reference.is_some() => {
                    return Err("it names more than one reference".to_owned());
                }
                "ref" => self.reference = Some(value),
                "branch" => self.reference = Some(format!("refs/heads/{value}")),
                "tag" => self.reference = Some(format!("refs/tags/{value}")),
                "subdir" => self.set_subdir(&value)?,
                "checksum" | "commit" => self.checksum = Some(value),
                "keep-git-dir" => self.keep_git_dir = Some(boolean()?),
                "submodules" => self.submodules = boolean()?,
                other => return Err(format!("unexpected query {other:?}")),
            }
        }
        if self.remote.starts_with('-') || self.reference.as_ref().is_some_and(|text| !is_reference(text)) {
            return Err("the reference is not one that git takes".to_owned());
        }
        if let Some(checksum) = &self.checksum
            && (!is_hex(checksum) || !(7..=64).contains(&checksum.len()))
        {
            return Err(format!("`{checksum}` is no commit id"));
        }
        Ok(self)
    }

    fn set_subdir(&mut self, text: &str) -> Result<(), String> {
        let clean = plimsoll_dockerfile::path::clean(&format!("/{text}"));
        clean.trim_start_matches('/').clone_into(&mut self.subdir);
        Ok(())
    }

    /// The host, for names of secrets; `None` for the scp form.
    pub(crate) fn host(&self) -> Option<&str> {
        let rest = self.remote.split_once("://")?.1;
        let authority = rest.split('/').next()?;
        Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
    }

    /// The address for messages.
    pub fn shown(&self) -> String {
        without_password(&self.remote)
    }
}

/// `user@host:path`
fn is_scp(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    !user.starts_with('-')
        && name(user)
        && rest
            .split_once(':')
            .is_some_and(|(host, path)| name(host) && !host.starts_with('-') && !path.is_empty())
}

/// What `git check-ref-format` forbids, and what could be an option or a refspec.
fn is_reference(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['-', '/', '.'])
        && !text.contains("..")
        && !text.contains("@{")
        && !text.chars().any(|letter| letter.is_control() || " ~^:?*[\\+".contains(letter))
}

pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let value = match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap_or(b'x'), rest.next().unwrap_or(b'x')];
                let digits = std::str::from_utf8(&digits).ok().filter(|hex| is_hex(hex));
                let digits = digits.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                digits.ok_or_else(|| format!("`{text}` is not encoded rightly"))?
            }
            other => other,
        };
        bytes.push(value);
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is not UTF-8"))
}

/// The address without a name and password.
pub fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
            match host.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://xxxxx@{host}/{path}"),
                None => url.to_owned(),
            }
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> GitUrl {
        GitUrl::parse(url).unwrap().unwrap()
    }

    #[test]
    fn both_forms_name_reference_and_directory() {
        let expected = GitUrl {
            remote: "https://host.test/a/b.git".into(),
            reference: Some("v1".into()),
            subdir: "x/y".into(),
            submodules: true,
            ..GitUrl::default()
        };
        assert_eq!(read("https://host.test/a/b.git#v1:x/y"), expected);
        assert_eq!(read("https://host.test/a/b.git?ref=v1&subdir=x%2Fy"), expected);
        assert_eq!(read("https://host.test/a/b.git#v1:/../x/./y/"), expected, "no way out");
        let more = read("git://host.test/b?tag=v2&keep-git-dir=true&submodules=false&checksum=0123abc");
        assert_eq!(more.reference.as_deref(), Some("refs/tags/v2"));
        assert_eq!((more.keep_git_dir, more.submodules), (Some(true), false));
        assert_eq!(more.checksum.as_deref(), Some("0123abc"));
        assert_eq!(read("git@host.test:a/b.git#main").remote, "git@host.test:a/b.git");
        assert_eq!(read("github.com/a/b").remote, "https://github.com/a/b");
        assert_eq!(read("https://u:p@host.test:8080/b.git").host(), Some("host.test:8080"));
    }

    #[test]
    fn what_is_no_repository_is_left_to_others() {
        for other in ["https://host.test/a.tar.gz", "./dir", "dir", "a:b", "/x@y:z", "-"] {
            assert_eq!(GitUrl::parse(other), None, "{other}");
        }
    }

    #[test]
    fn nothing_becomes_an_option_of_git() {
        for wrong in [
            "git://h/r#--upload-pack=x",
            "git://h/r#a:b:c..",
            "git://h/r?ref=-x",
            "git://h/r?ref=a%0ab",
            "git://h/r?ref=a%+1b",
            "git://h/r?ref=a..b",
            "git://h/r?nonsense=1",
            "git://h/r?checksum=xyz",
            "git://h/r?ref=a&tag=b",
        ] {
            let read = GitUrl::parse(wrong).unwrap();
            assert!(read.is_err() || wrong.ends_with("b:c.."), "{wrong}: {read:?}");
        }
        assert_eq!(GitUrl::parse("-x@host:y"), None);
        assert_eq!(GitUrl::parse("a@-host:y"), None);
    }
}
