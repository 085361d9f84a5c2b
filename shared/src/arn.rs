//! Amazon Resource Names: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>). Pure.

use std::fmt;

/// The parts of an ARN. Nothing but their number is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// Such as `aws` or `aws-cn`.
    pub partition: &'a str,
    /// Such as `ecr`.
    pub service: &'a str,
    /// Such as `eu-west-1`. Empty for a service without regions.
    pub region: &'a str,
    /// The account, twelve digits. Empty where the resource has no owner.
    pub account: &'a str,
    /// Such as `repository/library/node`. It may have colons of its own.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `text`. `None` if it is not an ARN.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_split_at_its_first_five_colons() {
        let text = "arn:aws-cn:lambda:cn-north-1:111122223333:function:refresh";
        let arn = Arn::parse(text).unwrap();
        let expected = Arn {
            partition: "aws-cn",
            service: "lambda",
            region: "cn-north-1",
            account: "111122223333",
            resource: "function:refresh",
        };
        assert_eq!(arn, expected);
        assert_eq!(arn.to_string(), text);
    }

    #[test]
    fn a_region_may_be_empty() {
        let arn = Arn::parse("arn:aws:iam::111122223333:role/retry").unwrap();
        assert_eq!((arn.region, arn.resource), ("", "role/retry"));
    }

    #[test]
    fn other_texts_are_not_arns() {
        for text in [
            "",
            "refresh",
            "arn:aws:sns:us-east-1:topic",
            "urn:a:b:c:d:e",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }
}
