//! Comparisons of order in an expression, written as calls: the engine puts null below every number, and a number below every
//! text, where neither is less.

use super::bytes::{is_part, is_start, past};

/// The function that compares in place of `<`, `<=`, `>` and `>=`: it takes the left side, the sign, and the right side.
pub const ORDERED: &str = "_ordered";

/// Words at which a side of a comparison ends.
const ENDS: [&str; 11] = ["and", "or", "not", "if", "elif", "else", "in", "set", "recursive", "for", "do"];

enum Piece {
    Side(String),
    Sign(&'static str),
    End(String),
}

/// The expression with each comparison of order as a call of [`ORDERED`].
pub(super) fn ordered(text: &str) -> String {
    let (mut whole, mut chain) = (String::new(), Vec::new());
    for piece in pieces(text) {
        match piece {
            Piece::End(end) => {
                whole += &written(&std::mem::take(&mut chain));
                whole += &end;
            }
            piece => chain.push(piece),
        }
    }
    whole + &written(&chain)
}

/// Sides and signs between two ends: a chain such as `1 < a < 3` is all of its comparisons.
fn written(chain: &[Piece]) -> String {
    let (mut sides, mut signs, mut as_it_is) = (Vec::new(), Vec::new(), String::new());
    for piece in chain {
        match piece {
            Piece::Side(side) | Piece::End(side) => {
                sides.push(side.as_str());
                as_it_is += side;
            }
            Piece::Sign(sign) => {
                signs.push(*sign);
                as_it_is += sign;
            }
        }
    }
    let is_order = signs.iter().any(|sign| !["==", "!="].contains(sign));
    if !is_order || sides.len() != signs.len() + 1 || sides.iter().any(|side| side.trim().is_empty()) {
        return as_it_is;
    }
    let one = |(nth, sign): (usize, &&str)| {
        let (left, right) = (sides[nth].trim(), sides[nth + 1].trim());
        match *sign {
            "==" | "!=" => format!("({left} {sign} {right})"),
            sign => format!("{ORDERED}({left}, '{sign}', {right})"),
        }
    };
    let all: Vec<String> = signs.iter().enumerate().map(one).collect();
    let all = if all.len() == 1 { all.concat() } else { format!("({})", all.join(" and ")) };
    let (first, last) = (sides[0], sides[sides.len() - 1]);
    let (before, after) = (first.len() - first.trim_start().len(), last.trim_end().len());
    format!("{}{all}{}", &first[..before], &last[after..])
}

fn pieces(text: &str) -> Vec<Piece> {
    let bytes = text.as_bytes();
    let (mut pieces, mut side, mut at) = (Vec::new(), String::new(), 0);
    while at < bytes.len() {
        let start = at;
        let two = text.get(at..at + 2).unwrap_or_default();
        let sign = ["<=", ">=", "==", "!="].into_iter().find(|sign| *sign == two);
        let sign = sign.or_else(|| ["<", ">"].into_iter().find(|sign| text[at..].starts_with(sign)));
        if let Some(sign) = sign {
            pieces.extend([Piece::Side(std::mem::take(&mut side)), Piece::Sign(sign)]);
            at += sign.len();
            continue;
        }
        let end = match bytes[at] {
            b'(' | b'[' | b'{' => {
                let close = closing(bytes, at);
                side.push(char::from(bytes[at]));
                side += &ordered(&text[at + 1..close]);
                at = close;
                continue;
            }
            b',' | b':' | b'=' => Some(at + 1),
            byte if is_start(byte) && !side.ends_with('.') => {
                let end = (at..bytes.len()).find(|end| !is_part(bytes[*end])).unwrap_or(bytes.len());
                at = end;
                ENDS.contains(&&text[start..end]).then_some(end)
            }
            byte => {
                at = past(bytes, at);
                // A letter of another script is more bytes than one.
                while !text.is_char_boundary(at) {
                    at += 1;
                }
                while byte.is_ascii_digit() && at < bytes.len() && is_part(bytes[at]) {
                    at += 1;
                }
                None
            }
        };
        match end {
            Some(end) => {
                pieces.extend([Piece::Side(std::mem::take(&mut side)), Piece::End(text[start..end].to_owned())]);
                at = end;
            }
            None => side += &text[start..at],
        }
    }
    pieces.push(Piece::Side(side));
    pieces
}

/// Where the bracket at `open` is closed; the end of the text if nowhere.
fn closing(bytes: &[u8], open: usize) -> usize {
    let (mut depth, mut at) = (0_usize, open);
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        at = past(bytes, at);
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_of_order_become_calls() {
        let check = |text: &str, wanted: &str| assert_eq!(ordered(text), wanted, "{text}");
        for same in ["a", "a == b and 'x < y' != c", "a | default('<')", "not a in [b, c]", "a.b.c[0]"] {
            check(same, same);
        }
        check(" a.n|length > 3 ", " _ordered(a.n|length, '>', 3) ");
        check("a > 3 and b <= c + 1", "_ordered(a, '>', 3) and _ordered(b, '<=', c + 1)");
        check("not a < b", "not _ordered(a, '<', b)");
        check("'many' if a.n >= 9 else 'few'", "'many' if _ordered(a.n, '>=', 9) else 'few'");
        check("(a if a is defined else none) < 3", "_ordered((a if a is defined else none), '<', 3)");
        check("1 < a < 3", "(_ordered(1, '<', a) and _ordered(a, '<', 3))");
        check("f(a < b, c=d > 1)", "f(_ordered(a, '<', b), c=_ordered(d, '>', 1))");
        check("if a < b", "if _ordered(a, '<', b)");
        check("for x in xs if x.n > 3", "for x in xs if _ordered(x.n, '>', 3)");
        check("ä < 'ö'", "_ordered(ä, '<', 'ö')");
        check("日本 > 1 and (größe < é)", "_ordered(日本, '>', 1) and (_ordered(größe, '<', é))");
        check("(ä", "(ä");
        check("(a < ", "(a < ");
    }
}
