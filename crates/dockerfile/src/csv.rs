//! One line of comma-separated values, as `--mount` and `--device` use it.
use std::ops::Range;

/// The fields of `text` with quotes removed, and where each stands in it, quotes included.
pub(crate) fn fields(text: &str) -> Result<Vec<(String, Range<usize>)>, &'static str> {
    if text.is_empty() {
        return Err("the value is empty");
    }
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let (field, len) = if let Some(quoted) = rest.strip_prefix('"') {
            let (field, len) = quoted_field(quoted).ok_or("extraneous or missing \" in quoted-field")?;
            (field, len + 1)
        } else {
            let len = rest.find(',').unwrap_or(rest.len());
            if rest[..len].contains('"') {
                return Err("bare \" in non-quoted field");
            }
            (rest[..len].to_owned(), len)
        };
        fields.push((field, at..at + len));
        at += len;
        match text[at..].chars().next() {
            None => return Ok(fields),
            Some(',') => at += 1,
            Some(_) => return Err("extraneous or missing \" in quoted-field"),
        }
    }
}

/// A field behind its opening quote: the text, and its length with the closing quote.
fn quoted_field(text: &str) -> Option<(String, usize)> {
    let mut field = String::new();
    let mut at = 0;
    loop {
        let len = text[at..].find('"')?;
        field.push_str(&text[at..at + len]);
        at += len + 1;
        if !text[at..].starts_with('"') {
            return Some((field, at));
        }
        field.push('"');
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn quotes_and_commas() {
        let read =
            |text| fields(text).map(|fields| fields.into_iter().map(|(field, _)| field).collect::<Vec<_>>());
        assert_eq!(
            read(r#"a,"b,""c""",,d"#),
            Ok(vec!["a".into(), "b,\"c\"".into(), String::new(), "d".into()])
        );
        assert!(
            read("a\"b").is_err() && read("\"a").is_err() && read("\"a\"b").is_err() && read("").is_err()
        );
    }
}
