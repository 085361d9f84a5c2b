//! Tests against parts that we did not write. `.ci/tools` installs them; each test is ignored without them.

mod event_rules;
mod functions;
