//! A few shapes over an axis of time, as SVG text.

use std::fmt::Write as _;
use std::time::Duration;

use crate::demo::figures::clock;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 544.0;
/// Where time begins and ends.
pub(super) const LEFT: f64 = 150.0;
pub(super) const RIGHT: f64 = 840.0;
/// About what a character of the text in a bar takes.
const CHARACTER: f64 = 6.4;
/// A mark on the time axis each so often.
const MARK: Duration = Duration::from_secs(10);

/// Pages show the picture as an image, where only the reader's own preference for light or dark
/// is known; the background goes with it.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#24292f}\
.page{fill:#fff;stroke:#d0d7de}.title{font-weight:600}.small{font-size:11px;fill:#57606a}\
.middle{text-anchor:middle}.end{text-anchor:end}.name{font-size:11px;fill:#1f2328}\
.axis{stroke:#8c959f}.grid{stroke:#d8dee4;stroke-dasharray:3 3}\
.load{fill:#b6d4fe}.latency{fill:none;stroke:#8250df;stroke-width:2.2;stroke-linejoin:round}\
.level0,.on{fill:#aceebb}.level1,.reduced{fill:#fae17d}.level2{fill:#ffc680}.level3,.off{fill:#ffaba8}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117;stroke:#30363d}\
.small{fill:#9198a1}.name{fill:#f0f6fc}.axis{stroke:#656c76}.grid{stroke:#30363d}\
.load{fill:#1f4a8a}.latency{stroke:#bc8cff}.level0,.on{fill:#196c2e}.level1,.reduced{fill:#7d5e00}\
.level2{fill:#9b4215}.level3,.off{fill:#a0302c}}";

/// An unfinished picture.
pub(super) struct Canvas {
    text: String,
    end: Duration,
}

impl Canvas {
    /// An empty one over the time up to `end`.
    pub(super) fn new(end: Duration) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
             <title>A bot under load sheds animations, keeps its commands and recovers</title>\n\
             <style>{STYLE}</style>\n\
             <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n",
            WIDTH - 1.0,
            HEIGHT - 1.0
        );
        Self { text, end }
    }

    /// Where a time is.
    pub(super) fn at(&self, time: Duration) -> f64 {
        let share = time.min(self.end).div_duration_f64(self.end);
        LEFT + (RIGHT - LEFT) * share
    }

    pub(super) fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = writeln!(
            self.text,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = writeln!(
            self.text,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let points = points.join(" ");
        let _ = writeln!(
            self.text,
            "<polyline class=\"{class}\" points=\"{points}\"/>"
        );
    }

    pub(super) fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let _ = writeln!(
            self.text,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            text.replace('&', "&amp;").replace('<', "&lt;")
        );
    }

    /// What a panel shows, left of it.
    pub(super) fn caption(&mut self, top: f64, title: &str, note: &str) {
        self.text("title", 14.0, top + 14.0, title);
        self.text("small", 14.0, top + 30.0, note);
    }

    pub(super) fn time_axis(&mut self, y: f64) {
        let mut mark = Duration::ZERO;
        while mark <= self.end {
            let x = self.at(mark);
            self.line("axis", (x, y - 6.0), (x, y));
            self.text("small middle", x, y + 13.0, &clock(mark));
            mark += MARK;
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// A text that has room in so much width, or none at all.
pub(super) fn fitting(text: &str, width: f64) -> String {
    if x(text.chars().count()) * CHARACTER + 8.0 <= width {
        text.to_owned()
    } else {
        String::new()
    }
}

/// A small number as a coordinate.
pub(super) fn x(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
