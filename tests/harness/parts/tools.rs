//! Where the real parts are installed. A missing part panics and names the script that installs it.

use std::{
    env::{current_exe, split_paths, var_os},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A program on the `PATH`, such as `skopeo`.
pub fn program(name: &str) -> PathBuf {
    let path = var_os("PATH").unwrap_or_default();
    let found = split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: run .ci/tools"))
}

/// A program of the Python virtual environment that `.ci/tools` makes, such as `moto_server`.
pub fn python_program(name: &str) -> PathBuf {
    installed(virtual_environment().join("bin").join(name))
}

/// The Lambda runtime interface emulator inside the aws-sam-cli package.
pub fn lambda_emulator() -> PathBuf {
    let processor = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    let inside = format!("site-packages/samcli/local/rapid/aws-lambda-rie-{processor}");
    let versions = virtual_environment()
        .join("lib")
        .read_dir()
        .into_iter()
        .flatten()
        .flatten();
    let found = versions
        .map(|version| version.path().join(&inside))
        .find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| panic!("aws-lambda-rie is not installed: run .ci/tools"))
}

/// One of our binaries: from `REPLICATOR_BIN_DIR`, or else built now into the target directory of this test.
pub fn function(name: &str) -> PathBuf {
    let directory = var_os("REPLICATOR_BIN_DIR").map_or_else(|| build().clone(), PathBuf::from);
    let binary = directory.join(name);
    assert!(binary.is_file(), "{} does not exist", binary.display());
    binary
}

/// Builds all binaries, because `cargo test` builds only those of packages with an integration test. Once they are
/// fresh, this takes one second.
fn build() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let mut cargo = Command::new(var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--workspace", "--bins", "--quiet"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(
            cargo.status().expect("cargo runs").success(),
            "the binaries of the functions do not build"
        );
        let test = current_exe().expect("a test knows its own path");
        test.parent()
            .and_then(Path::parent)
            .expect("a test runs from the target directory")
            .to_path_buf()
    })
}

fn virtual_environment() -> PathBuf {
    let cache = var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&var_os("HOME").expect("HOME is set")).join(".cache");
    cache.unwrap_or_else(home).join("image-replicator/venv")
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "{} is not installed: run .ci/tools",
        path.display()
    );
    path
}
