//! Options that are looked through at the start: what cannot be right is said with the option's name, not by
//! watches that fail for ever.

/// The most characters of a label's name or value, and of a namespace.
const LONGEST: usize = 63;

/// The name of a namespace. Lists are written with blanks, and templates leave variables empty.
pub fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || is_dns_label(name) {
        return Ok(name.to_owned());
    }
    Err(
        "no namespace can have that name: write names such as bots,games, of small letters, digits and hyphens"
            .to_owned(),
    )
}

/// A label selector, as `kubectl --selector` takes it.
pub fn selector(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    match requirements(text)
        .into_iter()
        .find(|one| !is_requirement(one))
    {
        None => Ok(text.to_owned()),
        Some(wrong) => Err(format!(
            "{wrong:?} selects no labels: write such as shard=a, shard!=a, shard, !shard or shard in (a,b)"
        )),
    }
}

/// The parts between commas, but for those in brackets.
fn requirements(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let at_comma = |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(at_comma).map(str::trim).collect()
}

fn is_requirement(text: &str) -> bool {
    if let Some(key) = text.strip_prefix('!') {
        return is_key(key.trim());
    }
    if let Some((left, values)) = text.strip_suffix(')').and_then(|it| it.split_once('(')) {
        let Some((key, "in" | "notin")) = left.trim().rsplit_once(char::is_whitespace) else {
            return false;
        };
        return is_key(key.trim()) && values.split(',').all(|value| is_value(value.trim()));
    }
    for operator in ["!=", "==", "="] {
        if let Some((key, value)) = text.split_once(operator) {
            return is_key(key.trim()) && is_value(value.trim());
        }
    }
    if let Some((key, number)) = text.split_once(['<', '>']) {
        return is_key(key.trim()) && number.trim().parse::<i64>().is_ok();
    }
    is_key(text)
}

fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => prefix.split('.').all(is_dns_label) && is_name(name),
        None => is_name(text),
    }
}

fn is_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

fn is_name(text: &str) -> bool {
    is_word(text, |c| c.is_ascii_alphanumeric(), "-_.")
}

fn is_dns_label(text: &str) -> bool {
    is_word(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), "-")
}

/// Of such characters, and within it of these others too.
fn is_word(text: &str, is_own: impl Fn(char) -> bool, within: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(&is_own)
        && text.ends_with(&is_own)
        && text.chars().all(|c| is_own(c) || within.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_may_stand_between_blanks() {
        assert_eq!(namespace(" games "), Ok("games".to_owned()));
        assert_eq!(namespace(""), Ok(String::new()));
        for wrong in ["Bots", "a.b", "-a", "a b", "a/b", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn selectors_are_those_of_kubectl() {
        for right in [
            "shard=a",
            "shard == a,team!=x",
            "example.com/shard in (a, b),!team",
            "shard notin (a)",
            "shard",
            "shard=",
            "size>3",
            "",
        ] {
            assert_eq!(selector(right), Ok(right.to_owned()));
        }
        for wrong in [
            "a=b=c", "a,", "in (a)", "a in b", "a in (b", "a=ü", "a b", "=a", "A/b=c", "size>x",
        ] {
            assert!(selector(wrong).is_err(), "{wrong}");
        }
    }
}
