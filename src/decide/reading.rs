//! What a signal gave at a tick.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a signal gave: a finite number, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// A finite number. `NaN` and infinities never get here: see [`Reading::of`].
    Value(f64),
    /// No number that can be trusted. Never zero, never healthy.
    Unknown(Unknown),
}

/// Why a reading is Unknown, in the order in which the reasons are tested: the first that holds is
/// the reading's class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unknown {
    /// No connection: refused, DNS, TLS, reset, a redirect, or the source is backing off.
    Transport,
    /// No answer in time.
    Timeout,
    /// An HTTP status that is no success.
    Http,
    /// Not what a Prometheus answers.
    Malformed,
    /// More bytes than are read.
    TooLarge,
    /// The server itself says that data is missing.
    Partial,
    /// A matrix, a string or a native histogram.
    ResultType,
    /// More than one series.
    MultipleSeries,
    /// An annotation of the engine says that the number cannot be trusted.
    Warning,
    /// Too little traffic to say anything.
    LowTraffic,
    /// No series.
    Empty,
    /// Not a number.
    NaN,
    /// Plus or minus infinity.
    Infinite,
}

impl Reading {
    /// A number as it came: `NaN` and infinities are Unknown.
    pub const fn of(value: f64) -> Self {
        if value.is_nan() {
            Self::Unknown(Unknown::NaN)
        } else if value.is_infinite() {
            Self::Unknown(Unknown::Infinite)
        } else {
            Self::Value(value)
        }
    }

    /// The number, where there is one.
    pub const fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The class, where there is no number.
    pub const fn unknown(self) -> Option<Unknown> {
        match self {
            Self::Value(_) => None,
            Self::Unknown(class) => Some(class),
        }
    }
}

impl Unknown {
    /// Every class, in the order in which they are tested.
    pub const ALL: [Self; 13] = [
        Self::Transport,
        Self::Timeout,
        Self::Http,
        Self::Malformed,
        Self::TooLarge,
        Self::Partial,
        Self::ResultType,
        Self::MultipleSeries,
        Self::Warning,
        Self::LowTraffic,
        Self::Empty,
        Self::NaN,
        Self::Infinite,
    ];

    /// The word for it, as status, events, metrics and recorded series use it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "Transport",
            Self::Timeout => "Timeout",
            Self::Http => "Http",
            Self::Malformed => "Malformed",
            Self::TooLarge => "TooLarge",
            Self::Partial => "Partial",
            Self::ResultType => "ResultType",
            Self::MultipleSeries => "MultipleSeries",
            Self::Warning => "Warning",
            Self::LowTraffic => "LowTraffic",
            Self::Empty => "Empty",
            Self::NaN => "NaN",
            Self::Infinite => "Infinite",
        }
    }
}

impl Unknown {
    /// Whether the source gave no answer that could be read: that tells of the moment of asking, not
    /// of the time asked about.
    pub const fn is_unanswered(self) -> bool {
        matches!(
            self,
            Self::Transport | Self::Timeout | Self::Http | Self::Malformed | Self::TooLarge
        )
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Unknown {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == word)
            .ok_or(())
    }
}
