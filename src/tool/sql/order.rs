//! The terms by which a statement orders rows, as they are written: those that are a name or the place of a result.

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// The last part of a column's name, or the name of a result.
    Name(String),
    /// The place of a result, from 1.
    Place(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Text,
    Sign(char),
}

/// All of them, wherever in `sql` they stand. A term that computes something is none of them.
pub(super) fn terms(sql: &str) -> Vec<Term> {
    let tokens = tokens(sql);
    let is = |at: usize, word: &str| is_word(tokens.get(at), word);
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| is(*at, "ORDER") && is(at + 1, "BY")) {
        let (mut depth, mut begin, mut next) = (0_usize, at + 2, at + 2);
        loop {
            let token = tokens.get(next);
            let ends = depth == 0
                && (token.is_none_or(|token| matches!(token, Token::Sign(')' | ';')))
                    || ENDS.iter().any(|word| is_word(token, word)));
            if ends || (depth == 0 && token == Some(&Token::Sign(','))) {
                found.extend(term(&tokens[begin..next]));
                begin = next + 1;
            }
            match token {
                _ if ends => break,
                None => break,
                Some(Token::Sign('(')) => depth += 1,
                Some(Token::Sign(')')) => depth -= 1,
                Some(_) => {}
            }
            next += 1;
        }
    }
    found
}

/// Words that no term has, and that stand after the last one.
const ENDS: [&str; 7] = ["LIMIT", "OFFSET", "ROWS", "RANGE", "GROUPS", "UNION", "EXCEPT"];

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(is)) if is.eq_ignore_ascii_case(word))
}

/// A term without what says in which direction it orders.
fn term(tokens: &[Token]) -> Option<Term> {
    let directions = ["ASC", "DESC", "NULLS", "COLLATE"];
    let direction = |token: &Token| directions.iter().any(|word| is_word(Some(token), word));
    let end = tokens.iter().skip(1).position(direction).map_or(tokens.len(), |at| at + 1);
    match &tokens[..end] {
        [Token::Word(word)] if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok().map(Term::Place),
        [names @ .., Token::Word(name) | Token::Quoted(name)] => {
            let is_path =
                names.chunks(2).all(|pair| matches!(pair, [Token::Word(_) | Token::Quoted(_), Token::Sign('.')]));
            is_path.then(|| Term::Name(name.clone()))
        }
        _ => None,
    }
}

fn tokens(sql: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), sql);
    while let Some(first) = rest.chars().next() {
        let after = |close: &str| rest[1..].find(close).map_or(rest.len(), |at| 1 + at + close.len());
        let inner = |end: usize| rest[1..end].trim_end_matches(['"', '`', ']']).replace("\"\"", "\"");
        let end = match first {
            '\'' => after("'"),
            '"' => quoted(rest),
            '`' => after("`"),
            '[' => after("]"),
            '-' if rest.starts_with("--") => after("\n"),
            '/' if rest.starts_with("/*") => after("*/"),
            _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        match first {
            '\'' => tokens.push(Token::Text),
            '"' | '`' | '[' => tokens.push(Token::Quoted(inner(end))),
            '-' | '/' if end > 1 => {}
            _ if is_part(first) => tokens.push(Token::Word(rest[..end].to_owned())),
            _ if first.is_whitespace() => {}
            sign => tokens.push(Token::Sign(sign)),
        }
        rest = &rest[end..];
    }
    tokens
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where a name in double quotes ends; two of them within are one.
fn quoted(rest: &str) -> usize {
    let mut at = 1;
    while let Some(found) = rest[at..].find('"') {
        at += found + 1;
        if !rest[at..].starts_with('"') {
            return at;
        }
        at += 1;
    }
    rest.len()
}
