use super::*;

fn digest(character: char) -> Digest {
    format!("sha256:{}", character.to_string().repeat(64))
        .parse()
        .unwrap()
}

fn platforms(names: &[&str]) -> Platforms {
    names
        .iter()
        .map(|name| name.parse().unwrap())
        .collect::<Vec<Platform>>()
        .into()
}

const AMD64: &str = r#"{ "mediaType": "m", "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",   "size": 1, "platform": {"os":"linux","architecture":"amd64"} }"#;
const ARM64: &str = r#"{"mediaType":"m","digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":2,"platform":{"os":"linux","architecture":"arm64","variant":"v8"},"odd":1e0}"#;
const ATTESTS_AMD64: &str = r#"{"mediaType":"m","digest":"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc","size":3,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#;

fn index() -> Manifest {
    let json = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{AMD64},{ATTESTS_AMD64},{ARM64}],"annotations":{{"team":"base"}}}}"#
    );
    Manifest::parse(json.into_bytes().into(), None).unwrap()
}

#[test]
fn entries_keep_their_bytes_and_an_attestation_stays_with_its_subject() {
    let index = index();
    let cut_index = subset(&index, &platforms(&["linux/amd64"])).unwrap();
    assert_eq!(
        std::str::from_utf8(&cut_index.bytes).unwrap(),
        format!(
            r#"{{"annotations":{{"image-replicator.platforms":"linux/amd64","image-replicator.upstream-digest":"{}","team":"base"}},"manifests":[{AMD64},{ATTESTS_AMD64}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}}"#,
            index.digest
        )
    );
    assert_eq!(cut_index.digest, Digest::from_content(&cut_index.bytes));
    let read = Manifest::parse(cut_index.bytes.clone(), None).unwrap();
    assert_eq!(
        (read.content, read.media_type),
        (cut_index.content, cut_index.media_type)
    );
}

#[test]
fn the_same_choice_gives_the_same_bytes_with_the_digest_of_the_index() {
    let cut_index = subset(&index(), &platforms(&["linux/arm64/v8"])).unwrap();
    assert_eq!(
        cut_index.digest,
        subset(&index(), &platforms(&["linux/arm64", "linux/aarch64"]))
            .unwrap()
            .digest
    );
    let choice = platforms(&["linux/arm64"]).fingerprint();
    assert_eq!(
        SubsetOf::from_manifest(&cut_index, &Platforms::ALL),
        Some(SubsetOf {
            upstream: index().digest,
            choice
        })
    );
}

#[test]
fn an_index_is_unchanged_if_nothing_is_left_out() {
    let both = platforms(&["linux/amd64", "linux/arm64"]);
    assert_eq!(subset(&index(), &both).unwrap().digest, index().digest);
    assert_eq!(
        subset(&index(), &Platforms::ALL).unwrap().digest,
        index().digest
    );
    let subset_of = SubsetOf {
        upstream: index().digest,
        choice: both.fingerprint(),
    };
    assert_eq!(SubsetOf::from_manifest(&index(), &both), Some(subset_of));
    assert_eq!(
        SubsetOf::from_manifest(&index(), &platforms(&["linux/amd64"])),
        None
    );
}

#[test]
fn a_missing_platform_is_reported_with_the_available_ones() {
    let missing = subset(
        &index(),
        &platforms(&["linux/amd64", "linux/s390x", "windows/amd64"]),
    )
    .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "upstream has no linux/s390x and no windows/amd64; it has linux/amd64, linux/arm64; name the platforms that it has, or write `platforms: all`"
    );
}

#[test]
fn the_children_of_the_chosen_platforms_are_selected() {
    let Content::Index(children) = index().content else {
        panic!("no index")
    };
    let kept = select_children(&children, &platforms(&["linux/arm64"])).unwrap();
    assert_eq!(
        kept.iter()
            .map(|child| child.digest.clone())
            .collect::<Vec<_>>(),
        [digest('b')]
    );
}
