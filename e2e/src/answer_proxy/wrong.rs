//! The ways in which an answer can be wrong. Wherever one carries a number it says that all is well,
//! so that whoever believes it recovers.

mod broken;

use anyhow::Result;

const JSON: &str = "application/json";

/// The number that says that all is well.
const CALM: &str = r#"{"metric":{},"value":[1795247500.333,"1"]}"#;

/// One way to be wrong.
pub struct Wrong {
    /// Its name, fit for a URL and for an object's name.
    pub name: String,
    /// The class that a reading made of it must have.
    pub class: &'static str,
    /// What is done.
    pub deed: Deed,
}

/// What is done instead of answering.
pub enum Deed {
    /// A complete answer.
    Answer {
        /// The status code.
        status: u16,
        /// The content type.
        kind: &'static str,
        /// The body.
        body: Vec<u8>,
    },
    /// A complete answer, compressed though nobody asked for that.
    Encoded {
        /// The content encoding.
        encoding: &'static str,
        /// The body as it is sent.
        body: Vec<u8>,
    },
    /// Sent to where all is well.
    Redirect,
    /// Ends before the length that it announced.
    Short {
        /// What is sent.
        body: Vec<u8>,
        /// How many bytes are not.
        missing: usize,
    },
    /// A body of great length.
    Huge {
        /// Its beginning.
        begin: Vec<u8>,
        /// How many bytes stand in between.
        filler: usize,
        /// Its end.
        end: Vec<u8>,
    },
    /// One byte a second.
    Drip {
        /// The body.
        body: Vec<u8>,
    },
    /// The connection stays open and silent.
    Silence,
    /// The connection is closed without an answer.
    Close,
    /// The connection is reset.
    Reset,
    /// Another protocol's words.
    NoHttp,
}

/// All of them.
pub fn all() -> Result<Vec<Wrong>> {
    let mut all = results();
    all.extend(annotated());
    all.extend(statuses());
    all.extend(broken::garbled());
    all.extend(broken::connections()?);
    Ok(all)
}

fn results() -> Vec<Wrong> {
    let histogram = r#"{"metric":{},"histogram":[1795247500,{"count":"2000","sum":"600","buckets":[[0,"0.125","0.25","400"]]}]}"#;
    let valued = |value: &str| vector(&CALM.replace("\"1\"", value), "");
    [
        ("empty", "Empty", vector("", "")),
        ("nan", "NaN", valued("\"NaN\"")),
        ("plus-inf", "Infinite", valued("\"+Inf\"")),
        ("minus-inf", "Infinite", valued("\"-Inf\"")),
        (
            "two-series",
            "MultipleSeries",
            vector(&format!("{CALM},{CALM}"), ""),
        ),
        (
            "scalar-nan",
            "NaN",
            success("scalar", r#"[1795247500,"NaN"]"#, ""),
        ),
        (
            "string",
            "ResultType",
            success("string", r#"[1795247500,"1"]"#, ""),
        ),
        (
            "matrix",
            "ResultType",
            success(
                "matrix",
                r#"[{"metric":{},"values":[[1795247500,"1"]]}]"#,
                "",
            ),
        ),
        ("native-histogram", "ResultType", vector(histogram, "")),
        (
            "mixed-with-a-histogram",
            "ResultType",
            vector(&format!("{CALM},{histogram}"), ""),
        ),
        ("number-not-string", "Malformed", valued("1")),
        ("value-no-number", "Malformed", valued("\"calm\"")),
        (
            "unknown-type",
            "Malformed",
            success("tensor", &format!("[{CALM}]"), ""),
        ),
        ("no-data", "Malformed", r#"{"status":"success"}"#.to_owned()),
        (
            "error-with-status-200",
            "Malformed",
            r#"{"status":"error","errorType":"internal","error":"x"}"#.to_owned(),
        ),
    ]
    .into_iter()
    .map(|(name, class, body)| answer(name, class, 200, JSON, body))
    .collect()
}

fn annotated() -> Vec<Wrong> {
    [
        (
            "warning-of-missing-data",
            "Partial",
            r#","warnings":["remote_read: connection refused"]"#,
        ),
        ("is-partial", "Partial", r#","isPartial":true"#),
        (
            "engine-warning",
            "Warning",
            r#","warnings":["PromQL warning: encountered a mix of histograms and floats"]"#,
        ),
        (
            "distrusted-info",
            "Warning",
            r#","infos":["PromQL info: ignored histogram in max aggregation (1:1)"]"#,
        ),
        (
            "warnings-omitted",
            "Warning",
            r#","warnings":["3 more warning annotations omitted"]"#,
        ),
        (
            "cut-at-the-limit",
            "MultipleSeries",
            r#","warnings":["results truncated due to limit"]"#,
        ),
    ]
    .into_iter()
    .map(|(name, class, more)| answer(name, class, 200, JSON, vector(CALM, more)))
    .collect()
}

/// Error statuses, with a Prometheus body and with somebody else's page.
fn statuses() -> Vec<Wrong> {
    let kinds = [
        (400, "bad_data"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (422, "execution"),
        (429, "too_many_requests"),
        (500, "internal"),
        (503, "unavailable"),
    ];
    let mut all = Vec::new();
    for (status, kind) in kinds {
        let body = format!(
            r#"{{"status":"error","errorType":"{kind}","error":"no","data":{{"resultType":"vector","result":[{CALM}]}}}}"#
        );
        all.push(answer(
            &format!("status-{status}"),
            "Http",
            status,
            JSON,
            body,
        ));
        let page = "<html><body>no</body></html>".to_owned();
        let name = format!("status-{status}-page");
        all.push(answer(&name, "Http", status, "text/html", page));
        // an answer that would be believed, were it not for the status
        let name = format!("status-{status}-calm");
        all.push(answer(&name, "Http", status, JSON, vector(CALM, "")));
    }
    let timeout = r#"{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}"#;
    all.push(answer(
        "status-503-timeout",
        "Timeout",
        503,
        JSON,
        timeout.to_owned(),
    ));
    all.push(answer("status-204", "Malformed", 204, JSON, String::new()));
    all
}

fn answer(name: &str, class: &'static str, status: u16, kind: &'static str, body: String) -> Wrong {
    let body = body.into_bytes();
    Wrong {
        name: name.to_owned(),
        class,
        deed: Deed::Answer { status, kind, body },
    }
}

fn vector(elements: &str, more: &str) -> String {
    success("vector", &format!("[{elements}]"), more)
}

fn success(kind: &str, result: &str, more: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}{more}}}"#)
}
