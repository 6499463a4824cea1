//! The forms in which a value travels: the encodings of the programs that write environments, documents, URLs and
//! headers.

use std::collections::BTreeSet;

use base64::{
    Engine as _, engine::general_purpose::STANDARD_NO_PAD, engine::general_purpose::URL_SAFE_NO_PAD,
};

/// From this length on a value is also looked for in pieces.
const LONG: usize = 24;
/// The length of a piece. So many random characters in a row are no accident.
const WINDOW: usize = 16;
/// The length of a piece of an encoded value, which a line break may cut: 18 bytes of it.
const ENCODED_WINDOW: usize = 24;
/// Pieces of one value at most: a longer value has pieces further apart.
const WINDOWS: usize = 160;

/// One text to search for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    pub(super) bytes: Vec<u8>,
    /// What it is, where it is not the value itself: `base64`.
    pub(super) kind: &'static str,
}

/// All forms of a value, the value first, each once.
pub(super) fn forms(value: &str) -> Vec<Form> {
    let mut found = Collected::default();
    found.add(value.as_bytes().to_vec(), "");
    if value.contains('\n') {
        found.add(value.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes(), "");
    }
    for text in json(value) {
        found.add(text.into_bytes(), "as in JSON");
    }
    for text in percent(value) {
        found.add(text.into_bytes(), "percent-encoded");
    }
    for text in html(value) {
        found.add(text.into_bytes(), "as in HTML");
    }
    for text in shell(value) {
        found.add(text.into_bytes(), "quoted for a shell");
    }
    for bytes in base64(value.as_bytes()) {
        found.add(bytes, "base64");
    }
    for bytes in hexadecimal(value.as_bytes()) {
        found.add(bytes, "hexadecimal");
    }
    found.add(value.encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16");
    found.add(value.encode_utf16().flat_map(u16::to_be_bytes).collect(), "UTF-16");
    if value.chars().count() >= WINDOW {
        found.add(value.chars().rev().collect::<String>().into_bytes(), "reversed");
    }
    found.forms
}

/// Pieces of a random value, and of its base64 and hexadecimal forms where a line break may cut them.
pub(super) fn pieces(value: &str) -> Vec<Form> {
    let mut found = Collected::default();
    if value.len() >= LONG && value.is_ascii() {
        for piece in windows(value.as_bytes(), WINDOW) {
            if is_mixed(piece) {
                found.add(piece.to_vec(), "a part of it");
            }
        }
    }
    // Encoders break lines at 64 or 76 characters: a piece this long is whole on one of two lines.
    for encoded in base64(value.as_bytes()).into_iter().filter(|encoded| encoded.len() > 2 * ENCODED_WINDOW) {
        for piece in windows(&encoded, ENCODED_WINDOW) {
            found.add(piece.to_vec(), "a part of it in base64");
        }
    }
    found.forms
}

/// Letters and digits mixed, as in a random text and in no word.
pub(super) fn is_mixed(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    digits >= 2 && letters >= 2
}

#[derive(Default)]
struct Collected {
    forms: Vec<Form>,
    known: BTreeSet<Vec<u8>>,
}

impl Collected {
    fn add(&mut self, bytes: Vec<u8>, kind: &'static str) {
        if !bytes.is_empty() && self.known.insert(bytes.clone()) {
            self.forms.push(Form { bytes, kind });
        }
    }
}

fn windows(bytes: &[u8], length: usize) -> impl Iterator<Item = &[u8]> {
    let count = bytes.len().saturating_sub(length) + 1;
    bytes.windows(length).step_by(count.div_ceil(WINDOWS))
}

/// Strings of JSON as its writers escape them: `/` (PHP), `<`, `>` and `&` (Go), all beyond ASCII (Python), in lower and
/// upper case.
fn json(value: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for choice in 0..16_u8 {
        let has = |bit: u8| choice & bit != 0;
        let mut out = String::with_capacity(value.len() + 8);
        for letter in value.chars() {
            match letter {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '/' if has(1) => out.push_str("\\/"),
                '<' | '>' | '&' | '\'' | '\u{2028}' | '\u{2029}' if has(2) && letter != '\'' => {
                    escape_unit(&mut out, letter, has(8));
                }
                letter if letter < ' ' || (has(4) && !letter.is_ascii()) => {
                    escape_unit(&mut out, letter, has(8));
                }
                letter => out.push(letter),
            }
        }
        all.insert(out);
    }
    all
}

fn escape_unit(out: &mut String, letter: char, upper: bool) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        out.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
    }
}

/// RFC 3986 in upper and lower case, what JavaScript and Python leave as it is, and forms with `+` for a space.
fn percent(value: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for kept in [&b"-._~"[..], b"-._~!'()*", b"-._~/", b"-._~!$&'()*+,;="] {
        for lower in [false, true] {
            for plus in [false, true] {
                let mut out = String::with_capacity(value.len());
                for byte in value.bytes() {
                    if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
                        out.push(char::from(byte));
                    } else if plus && byte == b' ' {
                        out.push('+');
                    } else {
                        out.push_str(&if lower { format!("%{byte:02x}") } else { format!("%{byte:02X}") });
                    }
                }
                all.insert(out);
            }
        }
    }
    all
}

/// `&amp;`, `&lt;`, `&gt;`, and both quotes as different writers have them.
fn html(value: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for quote in ["&quot;", "&#34;", "&#x22;"] {
        for apostrophe in ["'", "&#39;", "&#x27;", "&apos;", "&#039;"] {
            for slash in ["/", "&#x2f;", "&#x2F;", "&#47;"] {
                let text = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                all.insert(text.replace('"', quote).replace('\'', apostrophe).replace('/', slash));
            }
        }
    }
    all
}

/// Single and double quotes of a shell, backslashes (`printf %q`), and the single quotes of YAML.
fn shell(value: &str) -> BTreeSet<String> {
    let backslashes = |escaped: &dyn Fn(char) -> bool| {
        let mut out = String::with_capacity(value.len());
        for letter in value.chars() {
            if escaped(letter) {
                out.push('\\');
            }
            out.push(letter);
        }
        out
    };
    [
        value.replace('\'', r"'\''"),
        value.replace('\'', "'\"'\"'"),
        value.replace('\'', "''"),
        value.replace('$', "$$"),
        backslashes(&|letter| matches!(letter, '"' | '$' | '`' | '\\')),
        backslashes(&|letter| {
            letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"-_./:=@%+,".contains(letter)
        }),
        backslashes(&|letter| {
            letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"-_./:@%+".contains(letter)
        }),
        backslashes(&|letter| letter.is_ascii() && !letter.is_ascii_alphanumeric()),
    ]
    .into()
}

/// The characters that depend on the value alone, whatever stands before and behind it in the encoded text: at each of
/// the three places that a byte can have in a group, in the alphabets of RFC 4648, 4 and 5.
fn base64(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(value);
        let (first, end) = ((offset * 8).div_ceil(6), (offset + value.len()) * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            all.extend(encoded.as_bytes().get(first..end).map(<[u8]>::to_vec));
        }
    }
    all
}

fn hexadecimal(value: &[u8]) -> [Vec<u8>; 2] {
    let write = |upper: bool| {
        let byte = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        value.iter().map(byte).collect::<String>().into_bytes()
    };
    [write(false), write(true)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(value: &str, text: &str) -> bool {
        forms(value)
            .iter()
            .chain(&pieces(value))
            .any(|form| text.as_bytes().windows(form.bytes.len()).any(|window| window == form.bytes))
    }

    #[test]
    fn base64_is_known_at_every_place() {
        for before in ["", "a", "ab", "abc", "pivotal:"] {
            for behind in ["", "z", "zz", "zzz"] {
                let text = format!("{before}s3cr3t/Pa55w0rd?{behind}");
                for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    assert!(has("s3cr3t/Pa55w0rd?", &encoded), "{before}|{behind}: {encoded}");
                }
            }
        }
    }

    #[test]
    fn the_escapes_of_other_writers() {
        let value = "aB3&dE6<gH9>kL2/mN5é'\"$x";
        for text in [
            r#"aB3\u0026dE6\u003cgH9\u003ekL2/mN5é'\"$x"#,
            r#"aB3&dE6<gH9>kL2\/mN5\u00e9'\"$x"#,
            r#"aB3&dE6<gH9>kL2/mN5\u00e9'\"$x"#,
            r#"aB3\u0026dE6\u003CgH9\u003EkL2/mN5\u00E9'\"$x"#,
            "aB3%26dE6%3cgH9%3ekL2%2fmN5%c3%a9%27%22%24x",
            "aB3%26dE6%3CgH9%3EkL2%2FmN5%C3%A9'%22%24x",
            "aB3&amp;dE6&lt;gH9&gt;kL2/mN5é&#39;&quot;$x",
            r#"aB3&dE6<gH9>kL2/mN5é'\''"$x"#,
            r#"aB3&dE6<gH9>kL2/mN5é'\"\$x"#,
            r#"aB3\&dE6\<gH9\>kL2/mN5é\'\"\$x"#,
        ] {
            assert!(has(value, text), "{text}");
        }
        assert!(has("kX9vQ2mT7r", "6b58397651326d543772") && has("kX9vQ2mT7r", "6B58397651326D543772"));
    }

    #[test]
    fn a_line_break_in_an_encoded_value_hides_nothing() {
        let value = "kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aEkX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE";
        let encoded = STANDARD_NO_PAD.encode(format!("user:{value}"));
        for cut in 1..encoded.len() {
            let broken = format!("{}\n{}", &encoded[..cut], &encoded[cut..]);
            assert!(has(value, &broken), "cut at {cut}");
        }
    }

    #[test]
    fn halves_are_parts() {
        let value = "kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aEq1w2e3r4t5y";
        assert!(has(value, &value[..21]) && has(value, &value[21..]));
        assert!(pieces("correct-horse-battery-staple").is_empty(), "words are no random text");
    }
}
