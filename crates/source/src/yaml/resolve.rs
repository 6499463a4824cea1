use super::{Scalar, Style, Tag};

/// What a scalar means by YAML's core schema, with the older forms that Compose files use (`0755`, `1_000`, `0b1`).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` and `false` in the three capitalisations; `yes`, `on`, `y` are strings.
    Bool(bool),
    /// A whole number in base 10, 16 (`0x`), 8 (`0o` or a leading `0`) or 2 (`0b`).
    Int(i64),
    /// A number with a fraction or exponent, or one too large for 64 bits.
    Float(f64),
    /// Everything else.
    String(String),
}

impl Scalar {
    /// The meaning of the scalar. Only plain scalars can be anything but strings; an explicit core tag wins.
    pub fn resolve(&self, tag: Option<&Tag>) -> Value {
        match tag.and_then(Tag::core) {
            Some("str" | "binary") => return Value::String(self.text.clone()),
            Some("null") => return Value::Null,
            Some("int" | "bool") => return plain(&self.text),
            Some("float") => {
                return match plain(&self.text) {
                    Value::Int(value) => Value::Float(value as f64),
                    other => other,
                };
            }
            _ => {}
        }
        if self.style == Style::Plain { plain(&self.text) } else { Value::String(self.text.clone()) }
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let starts_a_number =
        text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'));
    if starts_a_number {
        if let Some(value) = int(text) {
            return Value::Int(value);
        }
        if let Some(value) = float(text) {
            return Value::Float(value);
        }
    }
    Value::String(text.to_owned())
}

fn int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !has_digits || !digits(whole) || !fraction.is_none_or(digits) || !exponent_ok {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_schema_with_compose_habits() {
        assert_eq!(plain("0755"), Value::Int(0o755));
        assert_eq!(plain("0o755"), Value::Int(0o755));
        assert_eq!(plain("-0x1F"), Value::Int(-31));
        assert_eq!(plain("1_000"), Value::Int(1000));
        assert_eq!(plain("22:22"), Value::String("22:22".into()));
        assert_eq!(plain("0.50"), Value::Float(0.5));
        assert_eq!(plain("1e3"), Value::Float(1000.0));
        assert_eq!(plain("1.2.3"), Value::String("1.2.3".into()));
        assert_eq!(plain("0899"), Value::Float(899.0));
        assert_eq!(plain("yes"), Value::String("yes".into()));
        assert_eq!(plain("-"), Value::String("-".into()));
        assert_eq!(plain("."), Value::String(".".into()));
        assert_eq!(plain("99999999999999999999"), Value::Float(1e20));
    }
}
