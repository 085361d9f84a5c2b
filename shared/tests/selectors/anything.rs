//! Properties of selectors for any list of tags.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::selector;

/// Texts that resemble tags, and some that do not.
fn tags() -> impl Strategy<Value = Vec<String>> {
    let number = "v?[0-9]{1,3}(\\.[0-9]{1,2}){0,3}";
    let suffix = "(-?(rc|beta|alpine|slim)\\.?[0-9]{0,2}){0,2}";
    let version = format!("{number}{suffix}");
    let any = format!("{version}|[a-z]{{1,6}}|[0-9]{{8}}|\\PC{{0,12}}");
    let tag = prop::string::string_regex(&any).expect("it is a regular expression");
    prop::collection::vec(tag, 0..40)
}

/// Selectors of every kind.
fn selectors() -> impl Strategy<Value = String> {
    let chosen = prop::sample::select(vec![
        "glob: '*'",
        "glob: '1*'",
        "semver: '>=1 <50'",
        "regex: '.*1.*'",
        "glob: '*', semver: '*'",
    ]);
    let more = prop::sample::select(vec![
        "",
        ", exclude: '*2*'",
        ", prereleases: true",
        ", exclude: ['*a*', '*-*']",
    ]);
    (chosen, more, 0..6_u32, 0..6_u32).prop_map(|(chosen, more, latest, newest)| {
        let limit = |key: &str, most: u32| {
            if most == 0 {
                String::new()
            } else {
                format!(", {key}: {most}")
            }
        };
        format!(
            "{{ {chosen}{more}{}{} }}",
            limit("latest", latest),
            limit("newest", newest)
        )
    })
}

proptest! {
    #[test]
    fn every_tag_has_exactly_one_verdict_whatever_the_order(tags in tags(), yaml in selectors()) {
        let verdicts = selector(&yaml).judge(&tags);
        let judged: Vec<&str> = verdicts.iter().map(|verdict| verdict.tag.as_str()).collect();
        let unique: BTreeSet<&str> = tags.iter().map(String::as_str).collect();
        prop_assert_eq!(judged.len(), unique.len());
        prop_assert_eq!(judged.iter().copied().collect::<BTreeSet<_>>(), unique);
        let reversed: Vec<String> = tags.iter().rev().cloned().collect();
        prop_assert_eq!(selector(&yaml).judge(&reversed), verdicts);
    }

    #[test]
    fn newest_selects_no_more_tags_than_its_limit_and_only_matching_ones(tags in tags(), most in 1..5_usize) {
        let selector = selector(&format!("{{ glob: '1*', newest: {most} }}"));
        let verdicts = selector.judge(&tags);
        let selected: Vec<_> = verdicts.iter().filter(|verdict| verdict.is_selected).collect();
        let admitted = verdicts.iter().filter(|verdict| selector.admits(&verdict.tag)).count();
        prop_assert_eq!(selected.len(), most.min(admitted));
        prop_assert!(selected.iter().all(|verdict| verdict.tag.starts_with('1')));
    }

    #[test]
    fn a_selected_tag_passes_the_rules_that_need_no_list(tags in tags(), yaml in selectors()) {
        let selector = selector(&yaml);
        for verdict in selector.judge(&tags) {
            prop_assert!(!verdict.is_selected || selector.admits(&verdict.tag), "{:?}", verdict);
        }
    }
}
