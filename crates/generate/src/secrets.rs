//! Passwords and what is derived from them. A secret that exists is never made again, never shown and never compared.

use std::fmt;

use crate::stack::{Secret, SecretContent, Stack};

/// A secret's text. It has no `Display`, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// The text, to write it into its file.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// A secret file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecret {
    /// Path in the repository.
    pub path: String,
    /// Its content.
    pub text: SecretText,
}

/// Why secrets cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No randomness.
    #[error("the operating system gives no random bytes")]
    Random(#[source] std::io::Error),
    /// An existing file has no password in it.
    #[error("{path}: holds no password, but {derived} must be derived from it")]
    NoPassword {
        /// The file.
        path: String,
        /// The file that needs it.
        derived: String,
    },
}

impl plimsoll_source::Explain for SecretError {}

/// Paths of secret files that do not exist yet and that [`make_secrets`] makes, each with what it will hold.
pub fn missing_secrets(stack: &Stack, exists: &dyn Fn(&str) -> bool) -> Vec<(String, String)> {
    let missing = stack.secrets.iter().filter(|secret| !exists(&secret.path));
    missing
        .filter_map(|secret| {
            let what = match &secret.content {
                SecretContent::OfTeam => return None,
                SecretContent::Random => "256 random bits".to_owned(),
                SecretContent::Written { .. } => "the password that stands in the source".to_owned(),
                SecretContent::RedisConf { written: Some(_) } => {
                    "a Redis configuration with the password that stands in the source".to_owned()
                }
                SecretContent::RedisConf { written: None } => {
                    "a Redis configuration with 256 random bits as password".to_owned()
                }
                SecretContent::RabbitmqConf { .. } => {
                    "a RabbitMQ configuration with 256 random bits as password".to_owned()
                }
                SecretContent::Url { password, .. } => format!("an address, derived from {password}"),
                SecretContent::Copy { of } => format!("the password in {of}"),
            };
            Some((secret.path.clone(), what))
        })
        .collect()
}

/// Makes every secret that does not exist yet, but for the team's own. `read` gives the text of a secret file that does; `random` fills its
/// argument from the operating system.
pub fn make_secrets(
    stack: &Stack,
    read: &dyn Fn(&str) -> Option<String>,
    random: &mut dyn FnMut(&mut [u8]) -> std::io::Result<()>,
) -> Result<Vec<NewSecret>, SecretError> {
    let mut made: Vec<NewSecret> = Vec::new();
    for secret in &stack.secrets {
        if read(&secret.path).is_some() {
            continue;
        }
        if let Some(text) = content(stack, secret, &made, read, random)? {
            made.push(NewSecret { path: secret.path.clone(), text: SecretText(text) });
        }
    }
    Ok(made)
}

/// What a new file holds; nothing where it is not ours to make.
fn content(
    stack: &Stack,
    secret: &Secret,
    made: &[NewSecret],
    read: &dyn Fn(&str) -> Option<String>,
    random: &mut dyn FnMut(&mut [u8]) -> std::io::Result<()>,
) -> Result<Option<String>, SecretError> {
    let source = |name: &str| -> Result<String, SecretError> {
        let path = stack.secrets.iter().find(|secret| secret.name == name).map(|secret| secret.path.clone());
        let path = path.unwrap_or_default();
        let new = made.iter().find(|new| new.path == path).map(|new| new.text.0.clone());
        let text = new.or_else(|| read(&path)).unwrap_or_default();
        match password_in(stack, name, &text) {
            Some(password) => Ok(password.to_owned()),
            None => Err(SecretError::NoPassword { path, derived: secret.path.clone() }),
        }
    };
    let text = match &secret.content {
        SecretContent::OfTeam => return Ok(None),
        SecretContent::Random => password(random)?,
        // The health check reads the password from the first line.
        SecretContent::RedisConf { written: Some(password) } => format!("requirepass {password}\n"),
        SecretContent::RedisConf { written: None } => format!("requirepass {}\n", password(random)?),
        SecretContent::Written { password } => password.clone(),
        SecretContent::RabbitmqConf { user } => {
            format!("default_user = {user}\ndefault_pass = {}\n", password(random)?)
        }
        SecretContent::Copy { of } => source(of)?,
        SecretContent::Url { password, scheme, user, host, port, suffix } => {
            format!("{scheme}://{user}:{}@{host}:{port}{suffix}", percent_encode(&source(password)?))
        }
    };
    Ok(Some(text))
}

/// The password in a secret's text, which is a configuration file of some stores.
fn password_in<'a>(stack: &Stack, name: &str, text: &'a str) -> Option<&'a str> {
    let content = stack.secrets.iter().find(|secret| secret.name == name).map(|secret| &secret.content);
    let password = match content {
        Some(SecretContent::RedisConf { .. }) => text.lines().next()?.strip_prefix("requirepass ")?,
        Some(SecretContent::RabbitmqConf { .. }) => {
            text.lines().find_map(|line| line.strip_prefix("default_pass = "))?
        }
        _ => text,
    };
    Some(password.trim()).filter(|password| !password.is_empty())
}

/// 256 bits as 64 hexadecimal digits: they mean the same in a URL, a configuration file and a shell, and programs that
/// check the form of a key ask for this one (`openssl rand -hex 32`).
fn password(random: &mut dyn FnMut(&mut [u8]) -> std::io::Result<()>) -> Result<String, SecretError> {
    let mut bytes = [0; 32];
    random(&mut bytes).map_err(SecretError::Random)?;
    let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four)]);
    Ok(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

/// RFC 3986: everything but unreserved characters. A password that a person chose may hold any.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_64_digits() {
        let mut next = 0;
        let made = password(&mut |bytes| {
            for byte in bytes {
                *byte = next;
                next += 1;
            }
            Ok(())
        });
        assert_eq!(made.unwrap(), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    }

    #[test]
    fn passwords_of_people_are_safe_in_urls() {
        assert_eq!(percent_encode("a/b+c=@:é"), "a%2Fb%2Bc%3D%40%3A%C3%A9");
    }

    #[test]
    fn debug_never_shows_the_text() {
        let secret = NewSecret { path: "p".into(), text: SecretText("hunter2".into()) };
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
