//! Range queries, in pieces that the server gives whole.
//!
//! `prometheus-http-query` takes whole seconds only for the ends of a range, so these use the HTTP client
//! beneath it.

use std::time::Duration;

use prometheus_http_query::reqwest::Response;

use super::not_sent::NotSent;
use super::{Asker, Client, Line, seconds, whole_millis};
use crate::decide::Reading;
use crate::prometheus::answer::{self, Answer, Grid, Trust};
use crate::prometheus::query::Query;
use crate::time::{Span, Time};

/// The largest answer to a range query.
pub const RANGE_BYTES: usize = 64 << 20;

/// The most times that Prometheus evaluates in one range query.
pub const RANGE_POINTS: usize = 11_000;

/// What a query gave at each time of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranged {
    /// Every time that was asked for, in order.
    pub points: Vec<(Time, Reading)>,
    /// What the server said about it, for a person who looks now.
    pub details: Vec<String>,
}

impl Client {
    /// What a query gives at each time from `from` to `to`, asked in as many pieces as it takes.
    pub async fn range(&self, query: &Query, span: (Time, Time, Span), trust: Trust) -> Ranged {
        self.range_as(Asker::default(), query, span, trust).await
    }

    /// The same for one of many askers.
    pub async fn range_as(
        &self,
        asker: Asker<'_>,
        query: &Query,
        (from, to, step): (Time, Time, Span),
        trust: Trust,
    ) -> Ranged {
        let grid = Grid::new(from, to, step);
        let mut readings = Vec::with_capacity(grid.len);
        let mut details = Vec::new();
        for chunk in grid.chunks(RANGE_POINTS) {
            let known = self.known(query);
            let mut asked = self.chunk(asker, &known, &chunk, trust).await;
            if let Err(answer) = &asked
                && let Some(classic) = self.without_native(&known, answer)
            {
                asked = self.chunk(asker, &classic, &chunk, trust).await;
            }
            match asked {
                Ok((chunk, detail)) => {
                    readings.extend(chunk);
                    details.extend(detail);
                }
                Err(answer) => {
                    readings.extend(std::iter::repeat_n(answer.reading, chunk.len));
                    details.extend(answer.detail.map(|d| d.to_string()));
                }
            }
        }
        Ranged {
            points: (0..).map(|n| grid.time(n)).zip(readings).collect(),
            details,
        }
    }

    async fn chunk(
        &self,
        asker: Asker<'_>,
        query: &Query,
        grid: &Grid,
        trust: Trust,
    ) -> Result<(Vec<Reading>, Option<String>), Answer> {
        let line = self.line();
        let send = |left| self.send_range(&line, query, grid, left);
        let received = self.ask(asker, RANGE_BYTES, send).await?;
        let mut chunk = answer::range(&received.raw(), grid, trust);
        match &mut chunk {
            Ok((_, detail)) => line.access.hide(detail),
            Err(answer) => line.access.hide_in(answer),
        }
        // for the count of outcomes a range that came is a value
        let outcome = chunk
            .as_ref()
            .map_or_else(Clone::clone, |_| Answer::of(Reading::Value(0.0)));
        received.log(outcome, self);
        chunk
    }

    async fn send_range(
        &self,
        line: &Line,
        query: &Query,
        grid: &Grid,
        left: Duration,
    ) -> Result<Response, NotSent> {
        let last = grid.time(grid.len.saturating_sub(1));
        let mut form = vec![
            ("query", query.to_string()),
            ("start", seconds(grid.from)),
            ("end", seconds(last)),
            ("step", seconds(Time::from_millis(grid.step.as_millis()))),
            ("timeout", format!("{}ms", whole_millis(left))),
        ];
        form.extend(self.params.iter().cloned());
        let request = line.http.inner().post(self.range_url.clone());
        let sent = request
            .headers(line.headers.clone())
            .form(&form)
            .send()
            .await;
        sent.map_err(|e| NotSent::because(&e))
    }
}
