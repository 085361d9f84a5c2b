//! skopeo: another implementation of the protocols, which checks our results.

use tokio::process::Command;

use super::tools::program;

/// Runs skopeo and returns its output, byte for byte.
///
/// # Panics
/// When it fails, with its message.
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
