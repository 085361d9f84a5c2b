//! Text for people and for the process that started this one. A reader that went away is no error.

use std::fmt::Display;
use std::io::Write as _;

/// One line on standard output.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One line on standard error.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
