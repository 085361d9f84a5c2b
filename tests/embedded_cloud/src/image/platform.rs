//! Platforms by name, as `containerd` writes them: `os[(os.version)]/architecture[/variant]`.

use serde_json::{Value, json};

/// A platform as configurations and indexes write it (OCI image spec, "Image Index").
///
/// # Panics
/// If the name does not have that format.
pub(super) fn document(name: &str) -> Value {
    let parts: Vec<&str> = name.split('/').collect();
    let (system, architecture, variant) = match parts[..] {
        [system, architecture] => (system, architecture, None),
        [system, architecture, variant] => (system, architecture, Some(variant)),
        _ => panic!("{name} is no platform"),
    };
    let versioned = system
        .strip_suffix(')')
        .and_then(|text| text.split_once('('));
    let os = versioned.map_or(system, |(os, _)| os);
    let mut platform = json!({ "os": os, "architecture": architecture });
    if let Some((_, version)) = versioned {
        platform["os.version"] = version.into();
    }
    if let Some(variant) = variant {
        platform["variant"] = variant.into();
    }
    platform
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_version_and_a_variant_where_they_matter() {
        assert_eq!(
            document("linux/amd64"),
            json!({ "os": "linux", "architecture": "amd64" })
        );
        assert_eq!(
            document("linux/arm/v7"),
            json!({ "os": "linux", "architecture": "arm", "variant": "v7" })
        );
        let windows =
            json!({ "os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2700" });
        assert_eq!(document("windows(10.0.20348.2700)/amd64"), windows);
    }
}
