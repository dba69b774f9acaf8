//! Where keys come from: a file, or the environment. One per line, `KEY` or `NAME:KEY`; `#` begins a remark.

use secrecy::{ExposeSecret, SecretString};

use super::AiError;
use super::keyring::Key;
use crate::config::AiConfig;

const MOST_NAME: usize = 32;

/// The keys of the file, else those of the environment, else one that is none: a server of one's own may ask for none.
pub(super) fn keys(config: &AiConfig) -> Result<Vec<Key>, AiError> {
    let text = match (&config.keys_file, &config.keys) {
        (Some(path), _) => std::fs::read_to_string(path)
            .map(SecretString::from)
            .map_err(|error| AiError::File {
                path: path.display().to_string(),
                error,
            })?,
        (None, Some(keys)) => keys.clone(),
        (None, None) => {
            return Ok(vec![Key {
                name: "none".to_owned(),
                secret: None,
            }]);
        }
    };
    parse(text.expose_secret())
}

fn parse(text: &str) -> Result<Vec<Key>, AiError> {
    let mut keys: Vec<Key> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, key) = match line.split_once(':') {
            Some((name, key)) => (name.trim().to_owned(), key.trim()),
            None => (format!("key-{}", keys.len() + 1), line),
        };
        // what is no visible ASCII cannot be sent in a header
        let sound = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic());
        if !is_name(&name) || !sound {
            return Err(AiError::Line { line: number });
        }
        if keys.iter().any(|known| known.name == name) {
            return Err(AiError::Twice { name });
        }
        let secret = Some(SecretString::from(key));
        keys.push(Key { name, secret });
    }
    if keys.is_empty() {
        return Err(AiError::NoKeys);
    }
    Ok(keys)
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=MOST_NAME).contains(&name.len()) && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_names_and_no_log_shows_them() {
        let keys = parse("# ours\nsk-one\n\n spare : sk-two \nsk-three").unwrap();
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["key-1", "spare", "key-3"]);
        assert_eq!(keys[1].secret.as_ref().unwrap().expose_secret(), "sk-two");
        assert!(!format!("{keys:?}").contains("sk-"));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_key() {
        for (text, told) in [
            ("", "no key"),
            ("# none", "no key"),
            ("a:sk-1\na:sk-2", "\"a\" twice"),
            ("sk-1\nA name:sk-2", "line 2"),
            ("a:", "line 1"),
            ("sk-1 sk-2", "line 1"),
            ("sk-ü", "line 1"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains(told) && !error.contains("sk-"),
                "{text:?}: {error}"
            );
        }
    }
}
