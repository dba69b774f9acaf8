//! Writes the table of attacks as seeds, one file each, into the folder that is named.

use std::path::Path;

use serde_json::Value;

const ATTACKS: &str = include_str!("../../src/prometheus/tenancy/attacks.json");

fn main() -> std::io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "corpus/tenancy".to_owned());
    std::fs::create_dir_all(&folder)?;
    let attacks: Vec<Value> = serde_json::from_str(ATTACKS)?;
    for (n, attack) in attacks.iter().enumerate() {
        // the fields in the order of the target's first byte
        let fields = [
            "query",
            "minSamples",
            "matchers",
            "defaults",
            "errors",
            "histogram",
            "counter",
            "quantile",
        ];
        for (kind, field) in fields.iter().enumerate() {
            if let Some(text) = attack[*field].as_str() {
                std::fs::write(
                    Path::new(&folder).join(format!("attack-{n}")),
                    format!("{kind}{text}"),
                )?;
            }
        }
    }
    Ok(())
}
