//! The machine that a comparison ran on. Results of different machines are not comparable.

use std::fs;

use serde::Serialize;

/// Properties of the machine, as Linux reports them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// Whether the processor has SHA-256 instructions.
    pub(crate) has_sha: bool,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Load averages of the last 1, 5 and 15 minutes before the comparison. Above zero, other
    /// processes used the machine.
    pub(crate) load: String,
}

impl Machine {
    /// Reads the properties of this machine. A property that cannot be read is empty.
    pub(crate) fn read() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::parse(
            &read("/proc/cpuinfo"),
            &read("/proc/meminfo"),
            &read("/proc/sys/kernel/osrelease"),
            &read("/proc/loadavg"),
        )
    }

    /// Parses `/proc/cpuinfo`, `/proc/meminfo`, `/proc/sys/kernel/osrelease` and `/proc/loadavg`.
    fn parse(processors: &str, memory: &str, kernel: &str, load: &str) -> Self {
        let cores = processors
            .lines()
            .filter(|line| line.starts_with("processor"));
        // The field is `flags` on x86, and `Features` on ARM.
        let features = [field(processors, "flags"), field(processors, "Features")].join(" ");
        let mut features = features.split(' ');
        let total_kib = field(memory, "MemTotal").trim_end_matches(" kB");
        let averages: Vec<&str> = load.split(' ').take(3).collect();
        Self {
            processor: field(processors, "model name").to_owned(),
            cores: cores.count(),
            has_sha: features.any(|feature| feature == "sha_ni" || feature == "sha2"),
            memory_bytes: total_kib.parse().unwrap_or(0) * 1024,
            kernel: kernel.trim().to_owned(),
            load: averages.join(" "),
        }
    }
}

/// The value of the first line `NAME: VALUE`; empty if there is none.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    for line in text.lines() {
        if let Some((key, value)) = line.split_once(':')
            && key.trim() == name
        {
            return value.trim();
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_parsed_from_the_files_of_linux() {
        let processors = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: sse sha_ni\n\nprocessor\t: 1\nmodel name\t: Some CPU\n";
        let machine = Machine::parse(
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
