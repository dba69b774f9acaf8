use super::*;
use crate::time::{Span, Time};
use Unknown::{
    Empty, Http, Infinite, Malformed, MultipleSeries, NaN, Partial, ResultType, Timeout, Transport,
    Warning,
};

const JSON: Option<&str> = Some("application/json");

fn raw(status: u16, content_type: Option<&'static str>, body: &str) -> Answer {
    instant(&Raw {
        status,
        content_type,
        body: body.as_bytes(),
    })
}

/// A success with this `data` and whatever follows it.
fn data(data: &str, rest: &str) -> Answer {
    raw(
        200,
        JSON,
        &format!("{{\"status\":\"success\",\"data\":{data}{rest}}}"),
    )
}

fn vector(value: &str, rest: &str) -> Answer {
    let series = format!("{{\"metric\":{{}},\"value\":[1795247500.333,{value}]}}");
    data(
        &format!("{{\"resultType\":\"vector\",\"result\":[{series}]}}"),
        rest,
    )
}

const NONE: &str = "{\"resultType\":\"vector\",\"result\":[]}";
const TWO: &str = "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"a\":\"1\"},\"value\":[1,\"1\"]},\
    {\"metric\":{\"a\":\"2\"},\"value\":[1,\"2\"]}]}";
const NATIVE: &str = "{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"histogram\":[1,{\"count\":\"2000\",\
    \"sum\":\"600\",\"buckets\":[[0,\"0.125\",\"0.25\",\"400\"]]}]}]}";

#[test]
fn numbers_are_read_as_they_are_spelled() {
    for (spelled, number) in [
        ("\"1\"", 1.0),
        ("\"0.25\"", 0.25),
        ("\"1e+300\"", 1e300),
        ("\"1e-09\"", 1e-9),
        ("\"-0\"", 0.0),
    ] {
        assert_eq!(
            vector(spelled, "").reading,
            Reading::Value(number),
            "{spelled}"
        );
    }
    let scalar = data(
        "{\"resultType\":\"scalar\",\"result\":[1795247500,\"2.5\"]}",
        "",
    );
    assert_eq!(scalar.reading, Reading::Value(2.5));
    // the type may come last, and unknown fields may come anywhere
    let turned = data(
        "{\"stats\":{},\"result\":[{\"value\":[1,\"7\"],\"metric\":{},\"new\":[]}],\"resultType\":\"vector\"}",
        ",\"extra\":1",
    );
    assert_eq!(turned.reading, Reading::Value(7.0));
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn every_other_answer_has_its_class() {
    let bad = |text: &str| format!(",\"warnings\":[\"{text}\"]");
    let engine = bad("PromQL warning: encountered a mix of histograms and floats (1:5)");
    let remote = bad("remote_read: error sending request");
    let limit = bad("results truncated due to limit");
    let error = |kind: &str, text: &str| {
        format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":\"{text}\"}}")
    };
    let html = "<html><body>502 Bad Gateway</body></html>";
    let rows = [
        ("empty", data(NONE, ""), Empty),
        ("two series", data(TWO, ""), MultipleSeries),
        ("two of many", data(TWO, &limit), MultipleSeries),
        ("one of many", vector("\"1\"", &limit), MultipleSeries),
        ("NaN", vector("\"NaN\"", ""), NaN),
        ("+Inf", vector("\"+Inf\"", ""), Infinite),
        ("-Inf", vector("\"-Inf\"", ""), Infinite),
        (
            "scalar NaN",
            data("{\"resultType\":\"scalar\",\"result\":[1,\"NaN\"]}", ""),
            NaN,
        ),
        (
            "string",
            data("{\"resultType\":\"string\",\"result\":[1,\"abc\"]}", ""),
            ResultType,
        ),
        (
            "matrix",
            data(
                "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1,\"1\"]]}]}",
                "",
            ),
            ResultType,
        ),
        ("native", data(NATIVE, ""), ResultType),
        (
            "native with an engine warning",
            data(NATIVE, &engine),
            ResultType,
        ),
        ("native and partial", data(NATIVE, &remote), Partial),
        ("warning and a value", vector("\"1\"", &engine), Warning),
        ("warning and empty", data(NONE, &engine), Warning),
        ("warning and two series", data(TWO, &engine), MultipleSeries),
        (
            "info about mixed samples",
            vector(
                "\"1\"",
                ",\"infos\":[\"PromQL info: ignored histogram in max aggregation\"]",
            ),
            Warning,
        ),
        (
            "an engine warning under infos",
            vector(
                "\"1\"",
                ",\"infos\":[\"PromQL warning: quantile value should be\"]",
            ),
            Warning,
        ),
        ("partial and empty", data(NONE, &remote), Partial),
        ("partial and a value", vector("\"1\"", &remote), Partial),
        ("isPartial", vector("\"1\"", ",\"isPartial\":true"), Partial),
        (
            "partial beats warning",
            vector(
                "\"1\"",
                ",\"warnings\":[\"PromQL warning: x\",\"lost a store\"]",
            ),
            Partial,
        ),
        ("number, not string", vector("1", ""), Malformed),
        ("null", vector("null", ""), Malformed),
        ("a word", vector("\"abc\"", ""), Malformed),
        ("no number", vector("\"\"", ""), Malformed),
        (
            "element without value",
            data(
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{}}]}",
                "",
            ),
            Malformed,
        ),
        (
            "scalar of three",
            data("{\"resultType\":\"scalar\",\"result\":[1,\"1\",\"1\"]}", ""),
            Malformed,
        ),
        (
            "scalar that is a number",
            data("{\"resultType\":\"scalar\",\"result\":[1,1]}", ""),
            Malformed,
        ),
        (
            "vector of numbers",
            data("{\"resultType\":\"vector\",\"result\":[1,\"1\"]}", ""),
            Malformed,
        ),
        (
            "result no list",
            data("{\"resultType\":\"vector\",\"result\":{}}", ""),
            Malformed,
        ),
        (
            "unknown type",
            data("{\"resultType\":\"streams\",\"result\":[]}", ""),
            Malformed,
        ),
        (
            "no data",
            raw(200, JSON, "{\"status\":\"success\"}"),
            Malformed,
        ),
        (
            "null data",
            raw(200, JSON, "{\"status\":\"success\",\"data\":null}"),
            Malformed,
        ),
        ("no status", raw(200, JSON, "{}"), Malformed),
        (
            "error with 200",
            raw(200, JSON, &error("internal", "x")),
            Malformed,
        ),
        (
            "truncated",
            raw(200, JSON, "{\"status\":\"success\",\"data\":{\"resu"),
            Malformed,
        ),
        ("nothing", raw(200, JSON, ""), Malformed),
        ("two bodies", raw(200, JSON, "{}{}"), Malformed),
        ("an array", raw(200, JSON, "[]"), Malformed),
        ("deep", raw(200, JSON, &"[".repeat(100_000)), Malformed),
        ("HTML", raw(200, Some("text/html"), html), Malformed),
        (
            "JSON said to be text",
            raw(200, Some("text/plain"), "{}"),
            Malformed,
        ),
        ("no content type", raw(200, None, "{}"), Malformed),
        ("no content", raw(204, None, ""), Malformed),
        (
            "400",
            raw(400, JSON, &error("bad_data", "parse error: x")),
            Http,
        ),
        ("401", raw(401, Some("text/plain"), "Unauthorized"), Http),
        ("403 HTML", raw(403, Some("text/html"), html), Http),
        (
            "422",
            raw(422, JSON, &error("execution", "same labelset")),
            Http,
        ),
        (
            "429",
            raw(429, JSON, &error("too_many_requests", "slow down")),
            Http,
        ),
        ("500", raw(500, JSON, &error("internal", "oops")), Http),
        ("502 HTML", raw(502, Some("text/html"), html), Http),
        (
            "503 starting",
            raw(503, Some("text/plain"), "Service Unavailable"),
            Http,
        ),
        (
            "503 unavailable",
            raw(503, JSON, &error("unavailable", "x")),
            Http,
        ),
        (
            "503 timeout",
            raw(
                503,
                JSON,
                &error("timeout", "query timed out in expression evaluation"),
            ),
            Timeout,
        ),
        // as Mimir's distributor and its query limits say it
        (
            "no tenant",
            raw(401, Some("text/plain; charset=utf-8"), "no org id\n"),
            Http,
        ),
        (
            "422 of a limit",
            raw(
                422,
                JSON,
                &error(
                    "execution",
                    "the query exceeded the maximum number of chunks (err-mimir-max-chunks-per-query)",
                ),
            ),
            Http,
        ),
        // as VictoriaMetrics 1.131 says it: whatever is wrong is 422
        (
            "422 of a function that it does not know",
            raw(
                422,
                JSON,
                &error(
                    "422",
                    "error when executing query=\\\"histogram_sum(x)\\\" for (time=1795264537803, step=300000): unsupported function \\\"histogram_sum\\\"",
                ),
            ),
            Http,
        ),
        (
            "422 of a construct that it does not know",
            raw(
                422,
                JSON,
                &error(
                    "422",
                    "error when executing query=\\\"max((\\\" for (time=1795264537793, step=300000): singleExpr: unexpected token \\\"\\\"; want \\\"(\\\"; unparsed data: \\\"\\\"",
                ),
            ),
            Http,
        ),
        (
            "422 of too much",
            raw(
                422,
                JSON,
                &error(
                    "422",
                    "error when executing query=\\\"unparsed data: \\\" for (time=1795264537793, step=300000): not enough memory for processing",
                ),
            ),
            Http,
        ),
        ("redirect", raw(302, Some("text/html"), ""), Transport),
    ];
    for (name, answer, class) in rows {
        assert_eq!(answer.reading, Reading::Unknown(class), "{name}");
        let rejected = name == "400" || name.ends_with("does not know");
        assert_eq!(answer.rejected, rejected, "{name}");
    }
    let bytes = b"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]},\"x\":\"\xff\"}";
    let bad_utf8 = Raw {
        status: 200,
        content_type: JSON,
        body: bytes,
    };
    assert_eq!(instant(&bad_utf8).reading, Reading::Unknown(Malformed));
}

#[test]
fn trusted_annotations_leave_the_value_and_are_shown() {
    let info = "PromQL info: input to histogram_quantile needed to be fixed for monotonicity";
    let answer = vector("\"1.5\"", &format!(",\"infos\":[\"{info}\"]"));
    assert_eq!(answer.reading, Reading::Value(1.5));
    assert_eq!(answer.detail.as_deref(), Some(info));
    let sorted = vector(
        "\"1\"",
        ",\"warnings\":[\"PromQL warning: sort is ineffective for range queries since\"]",
    );
    assert_eq!(sorted.reading, Reading::Value(1.0));
    let quiet = vector(
        "\"1\"",
        ",\"warnings\":null,\"infos\":[],\"isPartial\":false",
    );
    assert_eq!((quiet.reading, quiet.detail), (Reading::Value(1.0), None));
}

#[test]
fn details_are_short_and_on_one_line() {
    let long = format!(
        "{{\"errorType\":\"internal\",\"error\":\"{}\"}}",
        "né\\n".repeat(1000)
    );
    let detail = raw(500, Some("application/json; charset=utf-8"), &long)
        .detail
        .expect("a detail");
    assert!(detail.starts_with("HTTP 500: internal: né né"));
    assert_eq!(detail.chars().count(), 200);
}

fn grid() -> Grid {
    Grid::new(
        Time::from_millis(10_000),
        Time::from_millis(25_000),
        Span::from_secs(5),
    )
}

fn matrix(series: &str, rest: &str, trust: Trust) -> Result<Vec<Reading>, Reading> {
    let body = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{series}]}}{rest}}}"
    );
    let raw = Raw {
        status: 200,
        content_type: JSON,
        body: body.as_bytes(),
    };
    range(&raw, &grid(), trust)
        .map(|(r, _)| r)
        .map_err(|a| a.reading)
}

#[test]
fn a_range_is_read_step_by_step() {
    let value = Reading::Value;
    let not = Reading::Unknown;
    let one = "{\"metric\":{},\"values\":[[10,\"1\"],[20,\"NaN\"],[25.000,\"4\"]]}";
    let read = |series: &str| matrix(series, "", Trust::Strict);
    assert_eq!(
        read(one),
        Ok(vec![value(1.0), not(Empty), not(NaN), value(4.0)])
    );
    assert_eq!(read(""), Ok(vec![not(Empty); 4]));
    let two = format!("{one},{{\"metric\":{{\"a\":\"b\"}},\"values\":[[15,\"2\"],[20,\"2\"]]}}");
    assert_eq!(
        read(&two),
        Ok(vec![
            value(1.0),
            value(2.0),
            not(MultipleSeries),
            value(4.0)
        ])
    );
    let native = format!("{one},{{\"metric\":{{}},\"histograms\":[[10,{{\"count\":\"1\"}}]]}}");
    assert_eq!(
        read(&native),
        Ok(vec![not(ResultType), not(Empty), not(NaN), value(4.0)])
    );
    for off in [
        "[11,\"1\"]",
        "[30,\"1\"]",
        "[5,\"1\"]",
        "[1e300,\"1\"]",
        "[10,1]",
    ] {
        let series = format!("{{\"metric\":{{}},\"values\":[{off}]}}");
        assert_eq!(read(&series), Err(not(Malformed)), "{off}");
    }
}

#[test]
fn an_annotation_covers_the_whole_range() {
    let one = "{\"metric\":{},\"values\":[[10,\"1\"]]}";
    let engine = ",\"warnings\":[\"PromQL warning: encountered a mix of histograms and floats\"]";
    assert_eq!(
        matrix(one, engine, Trust::Strict),
        Err(Reading::Unknown(Warning))
    );
    assert_eq!(
        matrix(one, engine, Trust::Warned).map(|r| r[0]),
        Ok(Reading::Value(1.0))
    );
    let remote = ",\"warnings\":[\"remote_read: error\"]";
    assert_eq!(
        matrix(one, remote, Trust::Warned),
        Err(Reading::Unknown(Partial))
    );
}

#[test]
fn a_grid_is_cut_into_pieces_without_losing_a_time() {
    let grid = Grid::new(
        Time::from_millis(0),
        Time::from_millis(10_400),
        Span::from_millis(1000),
    );
    assert_eq!(grid.len, 11);
    let pieces: Vec<_> = grid
        .chunks(4)
        .map(|g| (g.from.as_millis(), g.len))
        .collect();
    assert_eq!(pieces, [(0, 4), (4000, 4), (8000, 3)]);
    let backwards = Grid::new(
        Time::from_millis(5),
        Time::from_millis(0),
        Span::from_millis(1),
    );
    assert_eq!(backwards.len, 0);
}
