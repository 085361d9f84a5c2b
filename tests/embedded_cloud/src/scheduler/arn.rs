//! Amazon Resource Names in their six parts.

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
pub(super) struct Arn<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads an ARN of any partition; `None` if the text is not an ARN.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return None;
        };
        let whole = is_partition(partition) && !service.is_empty() && !resource.is_empty();
        whole.then_some(Self {
            service,
            region,
            account,
            resource,
        })
    }

    /// Whether the account is an account ID; ARNs of some services leave it out.
    pub(super) fn has_account(&self) -> bool {
        self.account.len() == 12 && self.account.bytes().all(|byte| byte.is_ascii_digit())
    }
}

fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
