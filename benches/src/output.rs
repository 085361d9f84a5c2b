//! Lines on standard output and standard error. Write errors are ignored: they mean that the
//! reader has gone.

use std::fmt::Display;
use std::io::Write as _;

/// Writes one line to standard output.
pub(crate) fn stdout_line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes one line to standard error.
pub(crate) fn stderr_line(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
