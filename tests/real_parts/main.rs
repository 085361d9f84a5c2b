//! Tests with parts that we did not write. `.ci/tools` installs them; each test is ignored unless it is requested.

mod event_rules;
mod functions;
