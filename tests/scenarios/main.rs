//! Scenarios on the embedded cloud: what a user does, and the state of the mirror after it.

mod batch;
mod budget;
mod cli;
mod cost;
mod engine;
mod faults;
mod flow;
mod lambda;
mod origins;
mod platforms;
mod presence;
mod quota;
mod rescue;
mod selection;
mod tls;
