//! Pages of a stream, and their tokens.
//!
//! A token is a position between two events, and a direction. At an end of the stream the page is
//! empty, and the token of that direction equals the request's token. There is no other sign of the
//! end, and tokens are never absent.

use std::ops::Range;

use serde_json::{Value, json};

use super::stream::{Event, MAX_BYTES, Stream};

/// The most events of a page.
pub(super) const MAX_EVENTS: usize = 10_000;

/// The position of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// It begins at the position.
    From(usize),
    /// It ends before the position.
    Before(usize),
}

/// The positions of the events of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page(Range<usize>);

impl Anchor {
    /// Reads a token.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let (direction, rest) = token.split_once('/')?;
        let position = rest.strip_suffix("/s")?.parse().ok()?;
        match direction {
            "f" => Some(Self::From(position)),
            "b" => Some(Self::Before(position)),
            _ => None,
        }
    }

    pub(super) fn position(self) -> usize {
        match self {
            Self::From(position) | Self::Before(position) => position,
        }
    }

    fn token(self) -> String {
        let direction = match self {
            Self::From(_) => 'f',
            Self::Before(_) => 'b',
        };
        format!("{direction}/{:056}/s", self.position())
    }
}

impl Page {
    /// The page at the anchor: at most `most` events of the window, and at most 1 MiB.
    pub(super) fn cut(stream: &Stream, window: &Range<usize>, anchor: Anchor, most: usize) -> Self {
        match anchor {
            Anchor::From(position) => {
                let start = position.max(window.start);
                let rest = stream.events(start..window.end.max(start));
                Self(start..start + fitting(rest.iter(), most))
            }
            Anchor::Before(position) => {
                let end = position.min(window.end);
                let rest = stream.events(window.start.min(end)..end);
                Self(end - fitting(rest.iter().rev(), most)..end)
            }
        }
    }

    /// The events, earliest first in either direction, and both tokens.
    pub(super) fn output(&self, stream: &Stream) -> Value {
        let events: Vec<Value> = stream
            .events(self.0.clone())
            .iter()
            .map(Event::view)
            .collect();
        json!({
            "events": events,
            "nextForwardToken": Anchor::From(self.0.end).token(),
            "nextBackwardToken": Anchor::Before(self.0.start).token(),
        })
    }
}

/// How many of the events, in this order, fit into one page.
fn fitting<'a>(events: impl Iterator<Item = &'a Event>, most: usize) -> usize {
    let sizes = events.take(most).scan(0, |total, event| {
        *total += event.size_bytes();
        Some(*total)
    });
    sizes.take_while(|total| *total <= MAX_BYTES).count()
}
