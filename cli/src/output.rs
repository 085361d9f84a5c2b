//! Text for people. A reader that went away (`| head`) is no error.

use std::fmt::Display;
use std::io::Write as _;

use image_replicator::outcome::report::{ImageReport, Report};
use serde::Serialize;

/// One line on standard output.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One line on standard error.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// One JSON document on standard output.
pub(crate) fn json(value: &impl Serialize) {
    line(serde_json::to_string_pretty(value).expect("our own types are JSON"));
}

/// `copied     docker.io/library/node:21  48.2 MB, 3 pulls`, and where it can be pulled.
pub(crate) fn image(image: &ImageReport) {
    let spent = match (image.bytes, image.pulls) {
        (0, 0) => String::new(),
        (bytes, pulls) => format!("  {}, {pulls} pulls", size(bytes)),
    };
    line(format_args!("{:10} {}{spent}", image.status, image.image));
    for target in image
        .targets
        .iter()
        .filter(|target| target.digest.is_some())
    {
        line(format_args!("           → {}", target.uri));
    }
    if let Some(reason) = &image.reason {
        line(format_args!("           {reason}"));
    }
}

/// What all of it came to.
pub(crate) fn summary(report: &Report) {
    let bytes = report.images.iter().map(|image| image.bytes).sum();
    let pulls: u64 = report.images.iter().map(|image| image.pulls).sum();
    let left = report
        .quota
        .filter(|quota| quota.metered)
        .and_then(|quota| Some((quota.remaining?, quota.limit?)));
    let left = left.map_or(String::new(), |(remaining, limit)| {
        format!("; Docker Hub leaves {remaining} of {limit} pulls")
    });
    line(format_args!(
        "{} images, {} sent, {pulls} pulls{left}",
        report.images.len(),
        size(bytes)
    ));
}

/// Bytes as people read them, in powers of ten as networks count.
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

/// A table whose columns are as wide as their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        line(cells.join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(48_210_344), "48.2 MB");
        assert_eq!(size(1_073_741_824), "1.07 GB");
    }
}
