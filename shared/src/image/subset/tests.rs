use super::*;

fn digest(character: char) -> Digest {
    let hex = character.to_string().repeat(64);
    format!("sha256:{hex}").parse().unwrap()
}

fn platforms(names: &[&str]) -> Platforms {
    let mut platforms: Vec<Platform> = Vec::new();
    for name in names {
        platforms.push(name.parse().unwrap());
    }
    platforms.into()
}

// The entries differ in their spaces, order and numbers: a copy has to keep every byte.
const AMD64: &str = r#"{ "mediaType": "m",
    "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",   "size": 1,
    "platform": {"os":"linux","architecture":"amd64"} }"#;
const ARM64: &str = r#"{"mediaType":"m",
    "digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "size":2,
    "platform":{
        "os":"linux",
        "architecture":"arm64",
        "variant":"v8"
    },
    "odd":1e0}"#;
const ATTESTS_AMD64: &str = r#"{"mediaType":"m",
    "digest":"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "size":3,
    "platform":{
        "os":"unknown",
        "architecture":"unknown"
    },
    "annotations":{
        "vnd.docker.reference.type":"attestation-manifest",
        "vnd.docker.reference.digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    }}"#;
const MEDIA_TYPE: &str = "application/vnd.oci.image.index.v1+json";

fn index() -> Manifest {
    let json = format!(
        r#"{{
            "schemaVersion": 2,
            "mediaType": "{MEDIA_TYPE}",
            "manifests": [{AMD64}, {ATTESTS_AMD64}, {ARM64}],
            "annotations": {{ "team": "base" }}
        }}"#
    );
    Manifest::parse(json.into_bytes().into(), None).unwrap()
}

/// The index, cut down to the platforms `names`.
fn cut(names: &[&str]) -> Manifest {
    subset(&index(), &platforms(names)).unwrap()
}

#[test]
fn entries_keep_their_bytes_and_an_attestation_stays_with_its_subject() {
    let cut_index = cut(&["linux/amd64"]);
    let upstream = index().digest;
    let fields = [
        r#"{"annotations":{"#.to_owned(),
        r#""image-replicator.platforms":"linux/amd64","#.to_owned(),
        format!(r#""image-replicator.upstream-digest":"{upstream}","#),
        r#""team":"base"},"#.to_owned(),
        format!(r#""manifests":[{AMD64},{ATTESTS_AMD64}],"#),
        format!(r#""mediaType":"{MEDIA_TYPE}","#),
        r#""schemaVersion":2}"#.to_owned(),
    ];
    let text = std::str::from_utf8(&cut_index.bytes).unwrap();
    assert_eq!(text, fields.concat());
    assert_eq!(cut_index.digest, Digest::from_content(&cut_index.bytes));
    let read = Manifest::parse(cut_index.bytes.clone(), None).unwrap();
    assert_eq!(read.content, cut_index.content);
    assert_eq!(read.media_type, cut_index.media_type);
}

#[test]
fn the_same_choice_gives_the_same_bytes_with_the_digest_of_the_index() {
    let cut_index = cut(&["linux/arm64/v8"]);
    let same = cut(&["linux/arm64", "linux/aarch64"]);
    assert_eq!(cut_index.digest, same.digest);
    let expected = SubsetOf {
        upstream: index().digest,
        choice: platforms(&["linux/arm64"]).fingerprint(),
    };
    let subset_of = SubsetOf::from_manifest(&cut_index, &Platforms::ALL);
    assert_eq!(subset_of, Some(expected));
}

#[test]
fn an_index_is_unchanged_if_nothing_is_left_out() {
    let whole = index();
    let both = platforms(&["linux/amd64", "linux/arm64"]);
    for choice in [&both, &Platforms::ALL] {
        let subset = subset(&whole, choice).unwrap();
        assert_eq!(subset.digest, whole.digest);
    }
    let expected = SubsetOf {
        upstream: whole.digest.clone(),
        choice: both.fingerprint(),
    };
    let subset_of = SubsetOf::from_manifest(&whole, &both);
    assert_eq!(subset_of, Some(expected));
    let one = platforms(&["linux/amd64"]);
    assert_eq!(SubsetOf::from_manifest(&whole, &one), None);
}

#[test]
fn a_missing_platform_is_reported_with_the_available_ones() {
    let choice = platforms(&["linux/amd64", "linux/s390x", "windows/amd64"]);
    let missing = subset(&index(), &choice).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "upstream has no linux/s390x and no windows/amd64; \
         it has linux/amd64, linux/arm64; \
         name the platforms that it has, or write `platforms: all`"
    );
}

#[test]
fn the_children_of_the_chosen_platforms_are_selected() {
    let whole = index();
    let choice = platforms(&["linux/arm64"]);
    let kept = select_children(whole.children(), &choice).unwrap();
    let digests: Vec<&Digest> = kept.iter().map(|child| &child.digest).collect();
    assert_eq!(digests, [&digest('b')]);
}
