//! When flags count as changed, and how they are numbered.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::STATE_KEY;
use crate::time::Time;

/// The epoch of the next change: greater than the previous one, and at least the Unix time in
/// seconds, so that it grows even where the object was made anew and the previous one is lost.
pub fn next_epoch(previous: i64, now: Time) -> i64 {
    previous.saturating_add(1).max(now.as_secs())
}

/// Whether two objects' data are byte-equal but for the epoch.
pub fn same_content(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> bool {
    a.len() == b.len() && entries(a).eq(entries(b))
}

/// Sixteen hexadecimal digits that are equal where [`same_content`] is.
///
/// FNV-1a, the same on every machine and in every release; it tells contents apart, it does not
/// protect them.
pub fn content_hash(data: &BTreeMap<String, String>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (key, value) in entries(data) {
        // 0xff never occurs in UTF-8, so no two contents run together
        let bytes = key.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]);
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

fn entries(data: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    data.iter().map(|(key, value)| {
        let value = if key == STATE_KEY {
            without_epoch(value)
        } else {
            Cow::Borrowed(value.as_str())
        };
        (key.as_str(), value)
    })
}

/// Cuts the epoch's digits out of the text, so that every other byte still counts. Inside a JSON
/// string the quotes would be escaped, and a feature of that name comes later and is an object:
/// the first match is the field.
fn without_epoch(json: &str) -> Cow<'_, str> {
    const FIELD: &str = "\"epoch\":";
    let Some(start) = json.find(FIELD).map(|at| at + FIELD.len()) else {
        return Cow::Borrowed(json);
    };
    let (before, rest) = json.split_at(start);
    let after = rest.strip_prefix('-').unwrap_or(rest);
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    Cow::Owned(format!("{before}{after}"))
}
