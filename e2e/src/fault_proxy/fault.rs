//! What can go wrong with one request or one watch.

use std::time::Duration;

use super::request::Asked;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status instead of an answer; the request does not reach the server.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// No answer, ever.
    Silence {
        /// Whether the request is carried out all the same.
        committed: bool,
    },
    /// The connection is reset instead of an answer.
    Reset {
        /// Whether the request is carried out all the same.
        committed: bool,
    },
    /// The request is carried out later: it reaches the server after so long.
    Late(Duration),
    /// The request is held on the way until [`let_go`](super::Script::let_go), and then carried out, whether
    /// who sent it still waits or is gone.
    Held,
    /// Of a list: one item that no type of ours can hold.
    Unreadable,
    /// Something is wrong with the frames of a watch that is open.
    Watch(WatchFault),
}

/// What goes wrong with a frame of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFault {
    /// The frame is lost, and nobody is told.
    Drop,
    /// It comes some seconds late.
    Delay,
    /// It comes twice.
    Duplicate,
    /// It comes after the one that follows it.
    Reorder,
    /// The connection stays open, and nothing comes through it any more.
    Stall,
    /// The stream ends in good order instead.
    Eof,
    /// ERROR 410 instead, and the end.
    Gone,
    /// ERROR 500 instead, and the end.
    Error,
    /// A line that is no JSON instead.
    Garbage,
    /// Half of it, and the connection breaks.
    Half,
    /// JSON that no type of ours can hold instead.
    Unreadable,
}

/// The requests that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Those with this [key](Asked::key), about an object of this name where one is given.
    Requests {
        /// The key.
        key: String,
        /// The object; of a watch, the one in the frame.
        name: Option<String>,
    },
    /// Everything that may change something.
    Writes,
}

/// How often a rule acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// On so many, then no more.
    First(usize),
    /// Only on this one, counted from 1.
    Only(usize),
    /// Until the script is cleared.
    Always,
}

/// A fault and the requests that it befalls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which requests.
    pub target: Target,
    /// What goes wrong.
    pub fault: Fault,
    /// How often.
    pub times: Times,
}

impl Rule {
    /// A rule about requests with a key.
    pub fn on(key: &str, fault: Fault) -> Self {
        Self {
            target: Target::Requests {
                key: key.to_owned(),
                name: None,
            },
            fault,
            times: Times::Always,
        }
    }

    /// Only about this object.
    #[must_use]
    pub fn of(mut self, object: &str) -> Self {
        if let Target::Requests { name, .. } = &mut self.target {
            *name = Some(object.to_owned());
        }
        self
    }

    /// Only on the first so many.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.times = Times::First(count);
        self
    }
}

impl Target {
    pub(super) fn is(&self, asked: &Asked) -> bool {
        match self {
            Self::Writes => asked.is_write(),
            Self::Requests { key, name } => {
                *key == asked.key() && name.as_ref().is_none_or(|name| *name == asked.name)
            }
        }
    }
}

impl Times {
    /// Whether it acts on the one with this number, counted from 1.
    pub(super) fn include(self, number: usize) -> bool {
        match self {
            Self::First(count) => number <= count,
            Self::Only(one) => number == one,
            Self::Always => true,
        }
    }
}
