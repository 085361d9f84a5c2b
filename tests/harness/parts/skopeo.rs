//! skopeo: another implementation of the same protocols, to look at our results with.

use tokio::process::Command;

use super::tools::program;

/// Runs skopeo and gives what it prints, byte for byte.
///
/// # Panics
/// With its message, when it fails.
pub async fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program("skopeo"))
        .args(arguments)
        .output()
        .await
        .expect("skopeo runs");
    assert!(
        output.status.success(),
        "skopeo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
