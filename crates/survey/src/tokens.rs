//! What the tokens of a file answer, whatever its language.

/// The partner of each opening bracket, of tokens that are given as (index, first byte), punctuation alone.
pub(crate) fn partners(count: usize, punctuation: impl Iterator<Item = (usize, u8)>) -> Vec<Option<usize>> {
    let mut partner = vec![None; count];
    let mut open = Vec::new();
    for (at, byte) in punctuation {
        match byte {
            b'(' | b'[' | b'{' => open.push(at),
            b')' | b']' | b'}' => {
                if let Some(begin) = open.pop() {
                    partner[begin] = Some(at);
                }
            }
            _ => {}
        }
    }
    partner
}

/// The access that every language has to its tokens. The type has `source`, `tokens` with `kind` and `span`, and
/// `partner`; its `Kind` has `Word` and `Punctuation`.
macro_rules! token_access {
    ($type:ty) => {
        impl $type {
            /// The text of a token as written; empty behind the end.
            pub(crate) fn text(&self, at: usize) -> &str {
                self.tokens.get(at).map_or("", |token| self.source.slice(token.span))
            }

            pub(crate) fn kind(&self, at: usize) -> Option<Kind> {
                self.tokens.get(at).map(|token| token.kind)
            }

            pub(crate) fn is(&self, at: usize, text: &str) -> bool {
                // Asked more often than anything else, of every token by every detector: the length tells most apart.
                let Some(token) = self.tokens.get(at) else { return false };
                token.span.end - token.span.start == text.len()
                    && matches!(token.kind, Kind::Word | Kind::Punctuation)
                    && self.source.text().as_bytes().get(token.span.start..token.span.end)
                        == Some(text.as_bytes())
            }

            pub(crate) fn is_word(&self, at: usize) -> bool {
                self.kind(at) == Some(Kind::Word)
            }

            /// The closing bracket of an opening one.
            pub(crate) fn close(&self, open: usize) -> Option<usize> {
                self.partner.get(open).copied().flatten()
            }

            /// The span from one token to another, both included.
            pub(crate) fn span(&self, from: usize, to: usize) -> Span {
                let last = self.tokens.len().saturating_sub(1);
                match (self.tokens.get(from), self.tokens.get(to.min(last))) {
                    (Some(from), Some(to)) => from.span.to(to.span),
                    _ => Span::default(),
                }
            }
        }
    };
}
pub(crate) use token_access;
