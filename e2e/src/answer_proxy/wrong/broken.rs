//! Answers that are no Prometheus answers at all, and connections that bring none.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{CALM, Deed, JSON, Wrong, answer, vector};

pub(super) fn garbled() -> Vec<Wrong> {
    let calm = vector(CALM, "");
    let mut bad_utf8 = vector(&CALM.replace("{}", r#"{"x":"?"}"#), "").into_bytes();
    bad_utf8
        .iter_mut()
        .filter(|byte| **byte == b'?')
        .for_each(|byte| *byte = 0xff);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let html = "<html><body>please log in</body></html>";
    vec![
        answer("html", "Malformed", 200, "text/html", html.to_owned()),
        answer(
            "html-said-to-be-json",
            "Malformed",
            200,
            JSON,
            html.to_owned(),
        ),
        answer(
            "wrong-content-type",
            "Malformed",
            200,
            "text/plain",
            calm.clone(),
        ),
        answer(
            "half-a-json",
            "Malformed",
            200,
            JSON,
            calm[..calm.len() / 2].to_owned(),
        ),
        answer("two-jsons", "Malformed", 200, JSON, format!("{calm}{calm}")),
        answer("deeply-nested", "Malformed", 200, JSON, deep),
        answer("no-body", "Malformed", 200, JSON, String::new()),
        Wrong {
            name: "bad-utf8".to_owned(),
            class: "Malformed",
            deed: Deed::Answer {
                status: 200,
                kind: JSON,
                body: bad_utf8,
            },
        },
    ]
}

pub(super) fn connections() -> Result<Vec<Wrong>> {
    let calm = || vector(CALM, "").into_bytes();
    let (begin, end) = (r#"{"x":""#, vector(CALM, ""));
    let end = end.replacen('{', "\",", 1).into_bytes();
    let spaces = vec![b' '; 100 << 20];
    let bomb = gzip(&[vector(CALM, "").as_bytes(), &spaces].concat())?;
    let filler = 100 << 20;
    let huge = Deed::Huge {
        begin: begin.as_bytes().to_vec(),
        filler,
        end,
    };
    let deeds = [
        ("a-hundred-megabytes", "TooLarge", huge),
        (
            "gzip-bomb",
            "Malformed",
            Deed::Encoded {
                encoding: "gzip",
                body: bomb,
            },
        ),
        (
            "gzip",
            "Malformed",
            Deed::Encoded {
                encoding: "gzip",
                body: gzip(&calm())?,
            },
        ),
        ("one-byte-a-second", "Timeout", Deed::Drip { body: calm() }),
        ("silence", "Timeout", Deed::Silence),
        ("redirect", "Transport", Deed::Redirect),
        (
            "truncated",
            "Transport",
            Deed::Short {
                body: calm(),
                missing: 10,
            },
        ),
        ("closed", "Transport", Deed::Close),
        ("reset", "Transport", Deed::Reset),
        ("no-http", "Transport", Deed::NoHttp),
    ];
    let named = |(name, class, deed)| Wrong {
        name: String::from(name),
        class,
        deed,
    };
    Ok(deeds.map(named).into())
}

/// Compressed by the program of that name, which every Debian has.
fn gzip(data: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new("gzip")
        .args(["-c", "-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start gzip")?;
    let mut input = child.stdin.take().context("gzip takes no input")?;
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(data));
        child.wait_with_output()
    })?;
    Ok(output.stdout)
}
