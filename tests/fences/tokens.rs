//! Rust source as the tokens that the compiler sees, those in macros too: no comment, no inside of a literal, and each
//! with its place.

use proc_macro2::{Delimiter, LineColumn, Spacing, TokenStream, TokenTree};

/// One token. A group is its opening delimiter, what it holds, and its closing delimiter.
pub struct Token {
    /// The word or sign; a literal is `""`, a lifetime has its `'`.
    pub text: String,
    pub start: LineColumn,
    pub end: LineColumn,
}

impl Token {
    pub fn line(&self) -> usize {
        self.start.line
    }

    /// A word that is no lifetime.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

pub fn tokens_of(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    flatten(text.parse().expect("the compiler has read it"), &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let add = |text: &str, span: proc_macro2::Span, tokens: &mut Vec<Token>| {
        tokens.push(Token { text: text.to_owned(), start: span.start(), end: span.end() });
    };
    let mut is_lifetime = false;
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                add(open, group.span_open(), tokens);
                flatten(group.stream(), tokens);
                add(close, group.span_close(), tokens);
            }
            TokenTree::Ident(word) if is_lifetime => add(&format!("'{word}"), word.span(), tokens),
            TokenTree::Ident(word) => add(&word.to_string(), word.span(), tokens),
            TokenTree::Literal(literal) => add("\"\"", literal.span(), tokens),
            TokenTree::Punct(sign) => {
                is_lifetime = sign.as_char() == '\'' && sign.spacing() == Spacing::Joint;
                if !is_lifetime {
                    add(&sign.as_char().to_string(), sign.span(), tokens);
                }
                continue;
            }
        }
        is_lifetime = false;
    }
}

/// Whether these words and signs come first.
pub fn begin_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

/// The places of these words and signs one after another.
pub fn places<'a>(tokens: &'a [Token], words: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    let first = words[0];
    let begins =
        move |(at, token): (usize, &Token)| (token.text == first && begin_with(&tokens[at..], words)).then_some(at);
    tokens.iter().enumerate().filter_map(begins)
}

const FOR_TESTS: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]"];

/// How far an item goes, from its attributes to its `;` or the end of its body.
fn item_length(tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match (token.text.as_str(), depth) {
            ("(" | "[" | "{", _) => depth += 1,
            (")" | "]" | "}", 0) => return at,
            ("}", 1) => return at + 1,
            (")" | "]" | "}", _) => depth -= 1,
            (";", 0) => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Without what is compiled for unit tests only: `#[cfg(test)]` items.
pub fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = vec![true; tokens.len()];
    for at in places(&tokens, FOR_TESTS) {
        let end = at + item_length(&tokens[at..]);
        kept[at..end].fill(false);
    }
    tokens.into_iter().zip(kept).filter_map(|(token, is_kept)| is_kept.then_some(token)).collect()
}

/// The file modules that are compiled for unit tests only: `#[cfg(test)] mod name;`.
pub fn test_modules(tokens: &[Token]) -> Vec<String> {
    let items = places(tokens, FOR_TESTS).map(|at| &tokens[at..at + item_length(&tokens[at..])]);
    items
        .filter_map(|item| match item {
            [.., word, name, end] if word.text == "mod" && end.text == ";" => Some(name.text.clone()),
            _ => None,
        })
        .collect()
}
