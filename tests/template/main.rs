//! What the SAM template and the example catalogue promise.

mod example;

use std::collections::BTreeSet;

use image_replicator::catalogue::{Catalogue, Document};
use image_replicator::outcome::metrics::{METRICS, NAMESPACE};

const TEMPLATE: &str = include_str!("../../template.yaml");

/// The default of the parameter `Catalogue`: the indented text below its `Default: |`.
fn default_catalogue() -> String {
    let below = TEMPLATE
        .split_once("\n  Catalogue:\n")
        .and_then(|(_, rest)| rest.split_once("    Default: |\n"));
    let lines = below
        .expect("the template has a default catalogue")
        .1
        .lines();
    lines
        .map_while(|line| line.strip_prefix("      "))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_default_catalogue_of_the_template_is_valid() {
    let document = Document::parse("template", &default_catalogue()).expect("it parses");
    let catalogue = Catalogue::merge(&[document]).expect("it resolves");
    assert!(!catalogue.images.is_empty());
    assert_eq!(catalogue.default_to, ["private"]);
}

/// The indented text of one resource of the template.
fn resource(name: &str) -> String {
    let below = TEMPLATE
        .split_once(&format!("\n  {name}:\n"))
        .expect("the template has the resource")
        .1;
    below
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The metric names after `["ImageReplicator", "` in the dashboard.
fn dashboard_metrics() -> BTreeSet<String> {
    let dashboard = resource("Dashboard");
    let start = format!(r#"["{NAMESPACE}", ""#);
    dashboard
        .split(&start)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect()
}

#[test]
fn the_dashboard_shows_every_metric_that_the_functions_emit_and_no_other() {
    let emitted: BTreeSet<String> = METRICS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(dashboard_metrics(), emitted);
}

#[test]
fn alarms_watch_metrics_that_the_functions_emit() {
    let (reserve, staleness) = (resource("ReserveAlarm"), resource("StalenessAlarm"));
    let emitted = |name: &str| METRICS.iter().any(|(emitted, _)| *emitted == name);
    for name in ["PullsRemaining", "PullsReserve"] {
        let metric = format!("{{Namespace: {NAMESPACE}, MetricName: {name}}}");
        assert!(
            emitted(name) && reserve.contains(&metric),
            "{metric} in:\n{reserve}"
        );
    }
    let metric = format!("Namespace: {NAMESPACE}\n      MetricName: StalenessSeconds\n");
    assert!(
        emitted("StalenessSeconds") && staleness.contains(&metric),
        "{staleness}"
    );
    for alarm in [reserve, staleness] {
        assert!(
            alarm.contains(
                "AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref AWS::NoValue]"
            ),
            "{alarm}"
        );
    }
}

#[test]
fn only_functions_that_defer_images_may_write_the_retry_schedule() {
    for function in ["Refresh", "Replicate", "Rescue", "Rescan"] {
        let text = resource(function);
        for part in [
            "REPLICATOR_WAKE_UP_FUNCTION: ",
            "REPLICATOR_WAKE_UP_ROLE: ",
            "- !Ref WakeUpPolicy",
        ] {
            assert!(text.contains(part), "{function} lacks {part}");
        }
    }
    let ensure = resource("Ensure");
    assert!(
        !ensure.contains("WAKE_UP") && !ensure.contains("WakeUpPolicy"),
        "{ensure}"
    );
}

#[test]
fn the_retry_is_one_schedule_with_one_role_that_may_invoke_only_refresh() {
    let policy = resource("WakeUpPolicy");
    for part in [
        "Action: [scheduler:GetSchedule, scheduler:CreateSchedule, scheduler:UpdateSchedule]",
        ":schedule/default/${AWS::StackName}-refresh-deferred\n",
        "Resource: !GetAtt WakeUpRole.Arn",
        "iam:PassedToService: scheduler.amazonaws.com",
    ] {
        assert!(policy.contains(part), "{part} in:\n{policy}");
    }
    let role = resource("WakeUpRole");
    for part in [
        "Principal: {Service: scheduler.amazonaws.com}",
        "aws:SourceAccount: !Ref AWS::AccountId",
        "Action: lambda:InvokeFunction",
        ":function:${AWS::StackName}-refresh\n",
    ] {
        assert!(role.contains(part), "{part} in:\n{role}");
    }
    assert_eq!(role.matches("Resource:").count(), 1, "{role}");
}

#[test]
fn every_function_that_surveys_may_read_manifests_of_the_mirror_and_ecr_public() {
    let survey = resource("SurveyPolicy");
    for action in [
        "ecr-public:GetAuthorizationToken",
        "sts:GetServiceBearerToken",
        "ecr:BatchGetImage",
    ] {
        assert!(survey.contains(action), "{action} in:\n{survey}");
    }
    for function in ["Refresh", "Replicate", "Ensure", "Rescue", "Rescan"] {
        assert!(
            resource(function).contains("- !Ref SurveyPolicy"),
            "{function}"
        );
    }
    assert!(
        resource("CopyPolicy").contains("ecr:GetDownloadUrlForLayer"),
        "one target is filled from another"
    );
}
