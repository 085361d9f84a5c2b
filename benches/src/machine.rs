//! The machine that a comparison ran on: numbers of two machines say nothing to each other.

use std::fs;

use serde::Serialize;

/// What Linux says of the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// Whether the processor has instructions for SHA-256.
    pub(crate) has_sha: bool,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Processes that wanted to run in the last minutes, before the comparison: more than none were others'.
    pub(crate) load: String,
}

impl Machine {
    /// This machine; what cannot be read is empty.
    pub(crate) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::of(
            &read("/proc/cpuinfo"),
            &read("/proc/meminfo"),
            &read("/proc/sys/kernel/osrelease"),
            &read("/proc/loadavg"),
        )
    }

    fn of(processors: &str, memory: &str, kernel: &str, load: &str) -> Self {
        let field = |text: &str, name: &str| {
            let line = text
                .lines()
                .find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        // ARM calls them `Features`, x86 `flags`.
        let features = format!(
            "{} {}",
            field(processors, "flags"),
            field(processors, "Features")
        );
        let kibibytes = field(memory, "MemTotal")
            .split(' ')
            .next()
            .and_then(|number| number.parse::<u64>().ok());
        Self {
            processor: field(processors, "model name"),
            cores: processors
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            has_sha: features
                .split(' ')
                .any(|feature| feature == "sha_ni" || feature == "sha2"),
            memory_bytes: kibibytes.unwrap_or(0) * 1024,
            kernel: kernel.trim().to_owned(),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_what_linux_says() {
        let processors = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: sse sha_ni\n\nprocessor\t: 1\nmodel name\t: Some CPU\n";
        let machine = Machine::of(
            processors,
            "MemTotal:       2048 kB\n",
            "6.1\n",
            "0.10 0.20 0.30 1/99 7\n",
        );
        let expected = Machine {
            processor: "Some CPU".to_owned(),
            cores: 2,
            has_sha: true,
            memory_bytes: 2_097_152,
            kernel: "6.1".to_owned(),
            load: "0.10 0.20 0.30".to_owned(),
        };
        assert_eq!(machine, expected);
    }
}
