//! Text and JSON on standard output and standard error. Write errors are ignored: they mean that
//! the reader has gone, as in `| head`.

use std::fmt::Display;
use std::io::Write as _;

use image_replicator::outcome::report::{ImageReport, Report};
use image_replicator::plan::quota::Quota;
use serde::Serialize;

/// Writes one line to standard output.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes one line to standard error.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes one JSON document to standard output.
pub(crate) fn json(value: &impl Serialize) {
    line(serde_json::to_string_pretty(value).expect("our own types are JSON"));
}

/// Prints an image with its status, what the copy cost, its targets, and the reason, if any:
///
/// ```text
/// copied     docker.io/library/node:21  48.2 MB, 3 pulls
///            → 111122223333.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/node:21
/// ```
pub(crate) fn image(image: &ImageReport) {
    let cost = if image.bytes == 0 && image.pulls == 0 {
        String::new()
    } else {
        format!("  {}, {}", size(image.bytes), pulls(image.pulls))
    };
    line(format_args!("{:10} {}{cost}", image.status, image.image));
    for target in &image.targets {
        if target.digest.is_some() {
            line(format_args!("           → {}", target.uri));
        }
    }
    if let Some(reason) = &image.reason {
        line(format_args!("           {reason}"));
    }
}

/// Prints the totals of a report, and Docker Hub's quota, if it is known.
pub(crate) fn summary(report: &Report) {
    let count = report.images.len();
    let noun = if count == 1 { "image" } else { "images" };
    let bytes = report.images.iter().map(|image| image.bytes).sum();
    let pulled = report.images.iter().map(|image| image.pulls).sum();
    let (size, pulls, quota) = (size(bytes), pulls(pulled), quota(report));
    line(format_args!("{count} {noun}, {size} sent, {pulls}{quota}"));
}

fn quota(report: &Report) -> String {
    match &report.quota {
        Some(Quota {
            metered: true,
            remaining: Some(remaining),
            limit: Some(limit),
            ..
        }) => format!("; {remaining} of {limit} pulls left at Docker Hub"),
        _ => String::new(),
    }
}

fn pulls(count: u64) -> String {
    match count {
        1 => "1 pull".to_owned(),
        _ => format!("{count} pulls"),
    }
}

/// Formats a number of bytes with a decimal unit.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let scaled = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", scaled(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", scaled(1_000_000)),
        _ => format!("{:.2} GB", scaled(1_000_000_000)),
    }
}

/// Prints a table whose columns are as wide as their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut cells = Vec::new();
        for (cell, &width) in row.iter().zip(&widths) {
            cells.push(format!("{cell:width$}"));
        }
        line(cells.join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_a_decimal_unit() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(48_210_344), "48.2 MB");
        assert_eq!(size(1_073_741_824), "1.07 GB");
    }
}
