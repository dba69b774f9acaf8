//! What only the text shows: literals that the parser reads differently than a server does, which
//! its tree no longer tells.

/// Refuses literals whose print would have another meaning.
pub(in super::super) fn literals(text: &str) -> Result<(), String> {
    for piece in pieces(text) {
        match piece {
            Piece::Escaped(string) => escapes(string)?,
            Piece::Raw => {}
            Piece::Code(code) => {
                numbers(code)?;
                durations(code)?;
            }
        }
    }
    Ok(())
}

/// The text with strings and comments left out.
pub(in super::super) fn without_strings(text: &str) -> String {
    let code = pieces(text).into_iter().map(|piece| match piece {
        Piece::Code(code) => code,
        Piece::Escaped(_) | Piece::Raw => " ",
    });
    code.collect()
}

enum Piece<'a> {
    /// Outside of strings and comments.
    Code(&'a str),
    /// Within quotes that know escapes.
    Escaped(&'a str),
    /// Within back-ticks, or a comment.
    Raw,
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['"', '\'', '`', '#']) {
        pieces.push(Piece::Code(&rest[..start]));
        let quote = rest[start..].chars().next().unwrap_or('#');
        let inner = &rest[start + 1..];
        let end = closing(inner, quote);
        pieces.push(match quote {
            '"' | '\'' => Piece::Escaped(&inner[..end]),
            _ => Piece::Raw,
        });
        // every closing character is one byte
        rest = inner.get(end + 1..).unwrap_or_default();
    }
    pieces.push(Piece::Code(rest));
    pieces
}

/// Where a string or comment ends: the offset of its closing character, or the end.
fn closing(inner: &str, quote: char) -> usize {
    let end = match quote {
        '#' => inner.find('\n'),
        '`' => inner.find('`'),
        _ => {
            let mut escaped = false;
            inner.char_indices().find_map(|(i, c)| {
                let closes = c == quote && !escaped;
                escaped = c == '\\' && !escaped;
                closes.then_some(i)
            })
        }
    };
    end.unwrap_or(inner.len())
}

fn escapes(string: &str) -> Result<(), String> {
    let mut chars = string.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            continue;
        }
        let kind = chars.next().unwrap_or_default();
        let first = chars.clone().next().unwrap_or_default();
        let a_byte = match kind {
            'x' => matches!(first.to_digit(16), Some(8..)),
            '2' | '3' => true,
            _ => false,
        };
        if a_byte {
            return Err(format!(
                "has the escape \\{kind}{first}.., a byte that servers read differently: write the character itself, or \\u"
            ));
        }
    }
    Ok(())
}

/// Whether an infinite number is written as one, not as too many digits.
pub(super) fn spells_infinity(text: &str) -> bool {
    let code = without_strings(text);
    let mut words = code.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word.eq_ignore_ascii_case("inf"))
}

fn numbers(code: &str) -> Result<(), String> {
    let words = code.split(|c: char| !(c.is_ascii_alphanumeric() || "_:.".contains(c)));
    for word in words.filter(|w| w.starts_with(|c: char| c.is_ascii_digit() || c == '.')) {
        let mut digits = 0;
        for c in word.chars() {
            match c {
                '0'..='9' => digits += 1,
                's' | 'm' | 'h' | 'd' | 'w' | 'y' if digits >= 10 => {
                    return Err(format!("has the duration {word}, which is out of range"));
                }
                _ => digits = 0,
            }
        }
    }
    Ok(())
}

/// Refuses bare numbers of seconds on which the parser panics; it is caught, but it is not quiet.
fn durations(code: &str) -> Result<(), String> {
    let lower = code.to_ascii_lowercase();
    let in_brackets = lower.split('[').skip(1).flat_map(|rest| {
        let inner = rest.split(']').next().unwrap_or_default();
        inner.split(':')
    });
    let offsets = lower.split("offset").skip(1);
    // a name may begin with the word
    let offsets = offsets.filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
    for rest in in_brackets.chain(offsets) {
        let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let word = &rest[..end.unwrap_or(rest.len())];
        if word
            .parse::<f64>()
            .is_ok_and(|secs| secs.is_nan() || secs > 1e10)
        {
            return Err(format!("has the duration {word}, which is out of range"));
        }
    }
    Ok(())
}
